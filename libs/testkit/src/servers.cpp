#include "servers.hpp"

#include <cstdio>
#include <cstdlib>

namespace coursegate::testkit {

std::string need(const char* variable)
{
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0')
        return value;
    std::fprintf(stderr, "skipped: %s is not set (tests/run starts private servers and sets it)\n", variable);
    std::fflush(nullptr);
    std::_Exit(77);
}

std::string shown(const char* variable)
{
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0')
        return "not set";
    std::string url = value;
    const auto scheme = url.find("://");
    if (scheme == std::string::npos)
        return "set";
    const auto at = url.find('@', scheme);
    url = url.substr(at == std::string::npos ? scheme + 3 : at + 1);
    return url.substr(0, url.find('?'));
}

} // namespace coursegate::testkit
