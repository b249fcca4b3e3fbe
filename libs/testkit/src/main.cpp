// main of every test program.
#include "session.hpp"

#include <csignal>

int main(int argc, char** argv)
{
    std::signal(SIGPIPE, SIG_IGN); // as every daemon does: a broken connection is an error code
    return coursegate::testkit::run_session(argc, argv);
}
