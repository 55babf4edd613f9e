// What libtorch's headers need of Gloo's contexts, whose own header the package of libtorch doesn't have.
#pragma once

#include <chrono>

namespace gloo {

class Context {
public:
    void setTimeout(std::chrono::milliseconds timeout);
};

}  // namespace gloo
