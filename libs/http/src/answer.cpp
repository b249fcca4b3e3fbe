#include "answer.hpp"

#include "text.hpp"

namespace coursegate::http {

namespace {

// simdjson parses in place when the string has this much room behind its end (simdjson::SIMDJSON_PADDING).
constexpr std::size_t padding = 64;

} // namespace

answer::verdict whole_answer::begin(std::optional<std::uint64_t> length)
{
    const auto coding = headers.get("Content-Encoding");
    if (coding && (equal_without_case(*coding, "gzip") || equal_without_case(*coding, "x-gzip"))) {
        inflate_.emplace();
        headers.remove("Content-Encoding"); // what the caller gets has none
        headers.remove("Content-Length");
    }
    else if (coding && !coding->empty() && !equal_without_case(*coding, "identity"))
        return verdict::bad_coding;
    else if (length) {
        if (*length > most_)
            return verdict::too_large;
        body.reserve(static_cast<std::size_t>(*length) + padding);
    }
    return verdict::go_on;
}

answer::verdict whole_answer::take(std::string_view bytes)
{
    if (!inflate_) {
        if (bytes.size() > most_ - body.size())
            return verdict::too_large;
        body += bytes;
        return verdict::go_on;
    }
    switch (inflate_->feed(bytes, body, most_)) {
    case inflate::outcome::broken:
        return verdict::bad_coding;
    case inflate::outcome::too_large:
        return verdict::too_large;
    case inflate::outcome::ok:
        break;
    }
    return verdict::go_on;
}

answer::verdict whole_answer::finish()
{
    if (inflate_ && !inflate_->is_whole())
        return verdict::bad_coding;
    if (body.capacity() < body.size() + padding)
        body.reserve(body.size() + padding);
    return verdict::go_on;
}

void whole_answer::reset()
{
    answer::reset();
    body.clear();
    inflate_.reset();
}

answer::verdict streamed_answer::begin(std::optional<std::uint64_t>)
{
    // The status is the answer; nobody asked for the body of an error.
    return status / 100 == 2 ? verdict::go_on : verdict::enough;
}

answer::verdict streamed_answer::take(std::string_view bytes)
{
    return on_chunk_(bytes) ? verdict::go_on : verdict::enough;
}

} // namespace coursegate::http
