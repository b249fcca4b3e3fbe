#include "pages/zones.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace coursegate::web_gateway {
namespace {

// Lines of "countries <tab> coordinates <tab> zone <tab> comment".
std::vector<std::string> read_zones()
{
    std::vector<std::string> out{"UTC"};
    std::ifstream table("/usr/share/zoneinfo/zone1970.tab");
    for (std::string line; std::getline(table, line);) {
        if (line.starts_with('#'))
            continue;
        std::istringstream fields(line);
        std::string countries;
        std::string coordinates;
        std::string zone;
        if (fields >> countries >> coordinates >> zone)
            out.push_back(std::move(zone));
    }
    std::sort(out.begin(), out.end());
    return out;
}

} // namespace

const std::vector<std::string>& time_zones()
{
    static const auto all = read_zones();
    return all;
}

bool is_time_zone(std::string_view name)
{
    return std::binary_search(time_zones().begin(), time_zones().end(), name);
}

} // namespace coursegate::web_gateway
