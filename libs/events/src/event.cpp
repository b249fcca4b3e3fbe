#include "coursegate/events/event.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace coursegate::events::detail {

std::string dump(const std::function<void(nlohmann::json&)>& fill)
{
    nlohmann::json j;
    fill(j);
    // Text from people and providers may hold broken UTF-8; an event that can't be written would block an
    // outbox.
    return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

base::result<void> read(std::string_view data, const std::function<void(const nlohmann::json&)>& take)
try {
    take(nlohmann::json::parse(data));
    return {};
}
catch (const nlohmann::json::exception& e) {
    return base::fail(errc::bad_data, std::string("data: ") + e.what());
}
catch (const std::invalid_argument& e) {
    return base::fail(errc::bad_data, e.what());
}

} // namespace coursegate::events::detail
