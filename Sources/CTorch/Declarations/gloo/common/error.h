// Asked for by libtorch's headers, which need nothing of it that is used here.
#pragma once
