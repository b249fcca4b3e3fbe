// Catch2's main for every test program: says which servers it uses and keeps the log quiet (TEST_LOG=1 shows
// it).
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "coursegate/log/log.hpp"
#include "servers.hpp"

#include <csignal>
#include <cstdlib>
#include <iostream>

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN); // as every daemon does: a broken connection is an error code
    if (std::getenv("TEST_LOG") == nullptr)
        coursegate::log::set_sink([](std::string_view) {});

    Catch::Session session;
    if (const int wrong = session.applyCommandLine(argc, argv); wrong != 0)
        return wrong;
    const auto& asked = session.configData();
    if (!asked.showHelp && !asked.listTests && !asked.listTestNamesOnly && !asked.listTags &&
        !asked.listReporters)
        std::cout << "PostgreSQL: " << coursegate::testkit::shown("TEST_DATABASE_URL")
                  << ", RabbitMQ: " << coursegate::testkit::shown("TEST_AMQP_URL") << std::endl;
    return session.run();
}
