// Catch2's implementation, apart from main(): a benchmark links the testkit and has a main of its own.
#pragma once

namespace coursegate::testkit {

// Runs the program's test cases as the command line asks; what main returns.
int run_session(int argc, char** argv);

} // namespace coursegate::testkit
