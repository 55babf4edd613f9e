// What libtorch's headers need of Gloo's devices, whose own header the package of libtorch doesn't have.
#pragma once

namespace gloo::transport {
class Device;
class UnboundBuffer;
}  // namespace gloo::transport
