#include "config.hpp"

namespace coursegate::sandbox {

config read_config(runtime::environment& env)
{
    config out;
    out.runtime = runtime::read_settings(env, "sandbox");
    out.port = static_cast<int>(env.integer(
        "PORT", "port of everything the sandbox plays, its control API and its page", 1, 65535, 8090));
    out.students = static_cast<int>(
        env.integer("SANDBOX_STUDENTS", "students enrolled in the sample course at start", 0, 100'000, 0));
    return out;
}

} // namespace coursegate::sandbox
