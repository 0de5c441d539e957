// nanobind's own code, compiled into the binding.
#include <nb_combined.cpp>
