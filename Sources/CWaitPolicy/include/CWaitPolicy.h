// How libtorch's threads wait for one another in a program that has this linked in. There is nothing to call.
