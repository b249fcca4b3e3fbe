// Says which servers it uses and keeps the log quiet (TEST_LOG=1 shows it).
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "coursegate/log/log.hpp"
#include "servers.hpp"
#include "session.hpp"

#include <cstdlib>
#include <iostream>

namespace coursegate::testkit {

int run_session(int argc, char** argv)
{
    if (std::getenv("TEST_LOG") == nullptr)
        log::set_sink([](std::string_view) {});

    Catch::Session session;
    if (const int wrong = session.applyCommandLine(argc, argv); wrong != 0)
        return wrong;
    const auto& asked = session.configData();
    if (!asked.showHelp && !asked.listTests && !asked.listTestNamesOnly && !asked.listTags &&
        !asked.listReporters)
        std::cout << "PostgreSQL: " << shown("TEST_DATABASE_URL") << ", RabbitMQ: " << shown("TEST_AMQP_URL")
                  << std::endl;
    return session.run();
}

} // namespace coursegate::testkit
