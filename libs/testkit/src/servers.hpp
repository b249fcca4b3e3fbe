// The private servers of the tests, by the variables that tests/run sets.
#pragma once

#include <string>

namespace coursegate::testkit {

// The variable's value. Without it ends the program with exit code 77, which CTest shows as skipped.
std::string need(const char* variable);

// "host:port/path" of a server's URL, without user and password; "not set" for an empty one.
std::string shown(const char* variable);

} // namespace coursegate::testkit
