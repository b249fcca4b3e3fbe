#include "target.hpp"

#include "coursegate/http/message.hpp"

#include "text.hpp"

using namespace coursegate;

// Query strings, and the dates and lists of headers.
void fuzz(std::string_view bytes)
{
    const auto parsed = http::query::parse(bytes);
    for (const auto& [name, value] : parsed.all())
        must(parsed.get(name).has_value(), "what was parsed is found again");
    if (const auto plain = http::percent_decode(bytes))
        must(plain->size() <= bytes.size(), "decoding only shortens");
    http::parse_http_date(bytes);
    http::list_has(bytes, "gzip");
    http::is_token(bytes);
}
