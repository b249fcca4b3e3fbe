// GET /v1/grants/stream: the event log as server-sent events.
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/feed_stream.hpp"
#include "handlers/reading.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"
#include "storage/feed.hpp"

#include "coursegate/http/sse.hpp"

namespace coursegate::web_gateway {
namespace {

struct stream_wish
{
    feed_filter filter;
    std::optional<feed_place> from{};
    std::optional<base::time_point> since{};
};

std::set<std::string> types_of(const std::string& list)
{
    std::set<std::string> out;
    for (std::size_t at = 0; at <= list.size();) {
        const auto comma = std::min(list.find(',', at), list.size());
        const auto type = list.substr(at, comma - at);
        if (type.empty() || type.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != type.npos)
            throw invalid("types", "Event types are written grant_issued,grant_failed.");
        out.insert(type);
        at = comma + 1;
    }
    return out;
}

stream_wish read_wish(const http::request& request)
{
    query_reader query(request);
    stream_wish out;
    out.filter.course_id = query.id("course");
    if (const auto types = query.text("types"))
        out.filter.types = types_of(*types);
    if (const auto since = query.text("since"))
        out.since = checked_time(*since, "since");
    query.finish();
    out.from = last_seen_place(request);
    return out;
}

// Each event as it stands in the log, with an id of its own.
class whole_events final : public feed_words
{
public:
    async::task<std::optional<std::string>> tell(const std::vector<placed_item>& items) override
    {
        std::string out;
        for (const auto& one : items) {
            http::sse_event e;
            e.id = to_string(one.place);
            e.event = one.item->type;
            e.data = one.item->data;
            out += http::format_sse(e);
        }
        co_return out;
    }
};

} // namespace

async::task<http::response> stream_route(gateway& g, call& c)
{
    const auto wish = read_wish(c.request);
    auto body = [&](db::transaction& tx) {
        if (wish.filter.course_id)
            course_named(tx, *wish.filter.course_id, "course");
        if (wish.from)
            return *wish.from;
        return wish.since ? feed_since(tx, *wish.since) : feed_end(tx);
    };
    const auto from = co_await g.db.transact(body);

    auto out = stream_answer();
    out.stream = [&g, filter = wish.filter, from, log = c.request.log](
                     http::stream_writer& writer) -> async::task<void> {
        whole_events words;
        co_await follow_feed(g, writer, filter, from, words, std::chrono::milliseconds(0), log);
    };
    co_return out;
}

} // namespace coursegate::web_gateway
