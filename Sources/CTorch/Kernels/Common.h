// What the versions of the loops include before any of their own functions is compiled for an instruction set.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "Kernels.h"
