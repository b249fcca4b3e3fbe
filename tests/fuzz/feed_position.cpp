#include "domain/feed_position.hpp"

#include "target.hpp"

using namespace coursegate::web_gateway;

// Last-Event-ID.
void fuzz(std::string_view bytes)
{
    const auto place = parse_feed_place(std::string(bytes));
    if (!place.has_value())
        return;
    const auto again = parse_feed_place(to_string(*place));
    must(again.has_value() && again->after == place->after,
        "a place that was read is written so that it is read again");
}
