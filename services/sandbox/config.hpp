// What the sandbox reads from the environment.
#pragma once

#include "coursegate/runtime/settings.hpp"

namespace coursegate::sandbox {

struct config
{
    runtime::settings runtime;
    int port = 0;     // PORT
    int students = 0; // SANDBOX_STUDENTS
};

config read_config(runtime::environment& env);

} // namespace coursegate::sandbox
