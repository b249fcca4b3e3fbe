#include "config.hpp"
#include "coursegate/runtime/daemon.hpp"
#include "handlers/embedded.hpp"
#include "handlers/routes.hpp"

using namespace coursegate;

int main(int argc, char** argv)
try {
    runtime::handle_arguments(argc, argv, "sandbox",
        "plays stepik.org, boomstream.com and play.boomstream.com over HTTP on one port, with a sample "
        "course,\n"
        "faults on demand, a control API below /control/ and a page at / to play a student",
        [](runtime::environment& env) { sandbox::read_config(env); });

    runtime::environment env;
    const auto cfg = sandbox::read_config(env);
    env.finish();
    runtime::daemon daemon{cfg.runtime};

    sandbox::world world{base::system_clock(),
        {sandbox::embedded("course/247644.tsv"), sandbox::embedded("course/recorded-row.tsv")}};
    for (int i = 0; i < cfg.students; ++i)
        world.add_student(*world.find_course(sandbox::world::sample_course), {});

    sandbox::stage stage{world};
    sandbox::stepik_api stepik{world};
    sandbox::boomstream_api boomstream{world};
    const sandbox::control_api control{world};
    http::server server{daemon.executor(), sandbox::server_settings(cfg.runtime.admin_host, cfg.port),
        sandbox::routes(stage, stepik, boomstream, control)};

    // The stage stops first, so that calls it keeps waiting on purpose don't hold up the server's stop.
    daemon.start_in_order({server, stage});
    return daemon.run();
}
catch (const std::exception& e) {
    return runtime::report_fatal(e);
}
