// GET /v1/grants/stream: the event log as server-sent events.
//
// A client first reads the table by itself from where it stopped (Last-Event-ID, ?since=) until it has caught
// up, then follows the shared reader. Ids are places in the log, and the stream opens with one, so a client
// that is cut, or whose gateway is killed at any moment, resumes without a gap; it may see an event again
// only if the connection broke before it noted the id.
#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "handlers/feed_reader.hpp"
#include "handlers/reading.hpp"
#include "handlers/uses.hpp"
#include "storage/catalog.hpp"
#include "storage/feed.hpp"

#include "coursegate/http/sse.hpp"

namespace coursegate::web_gateway {
namespace {

constexpr int page_rows = 500;
constexpr std::chrono::seconds heartbeat{15};
// A stream has to notice within a second that its reader or the server is going.
constexpr std::chrono::milliseconds look_up{500};

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
    if (const auto last = request.headers.get("Last-Event-ID"); last && !last->empty()) {
        const auto place = parse_feed_place(*last);
        if (!place.has_value())
            throw invalid("Last-Event-ID", "An event id of this stream is written xid.seq.");
        out.from = *place;
    }
    return out;
}

// What one client wants and how far it has come.
struct watch
{
    feed_filter filter;
    feed_place from;

    // Moves behind the item; its text when the client is to see it, else nothing.
    std::string take(const feed_item& item)
    {
        const bool wanted = filter.wants(item) && !from.was_there(item.position);
        from.move_to(item.position);
        if (!wanted)
            return {};
        http::sse_event e;
        e.id = to_string(from);
        e.event = item.type;
        e.data = item.data;
        return http::format_sse(e);
    }

    // An id and no event: who is cut before its first event, or long after its last, resumes from here.
    std::string place() const { return "id: " + to_string(from) + "\n\n"; }
};

// Writes what the table has up to `up_to`. False: the reader is gone.
async::task<bool> send_from_table(
    gateway& g, http::stream_writer& out, watch& w, std::optional<feed_position> up_to)
{
    while (out.is_open()) {
        auto body = [&](db::transaction& tx) { return read_feed(tx, w.from.after, page_rows, up_to); };
        const auto page = co_await g.db.transact(body);
        std::string bytes;
        for (const auto& row : page.rows)
            bytes += w.take(*make_item(row));
        if (!bytes.empty()) {
            const bool there = co_await out.write(bytes);
            if (!there)
                co_return false;
        }
        if (page.rows.size() < static_cast<std::size_t>(page_rows))
            co_return true;
    }
    co_return false;
}

// Follows the live log until the client goes, is too slow, or the server stops.
async::task<void> send_live(gateway& g, http::stream_writer& out, watch& w)
{
    const auto executor = co_await async::this_executor();
    const auto me = std::make_shared<feed_reader::follower>(executor, w.filter);
    const feed_reader::seat seat(g.feed, me, w.from.after);

    // What the shared reader had already handed to others while we caught up.
    if (w.from.after < seat.reader_at) {
        const bool there = co_await send_from_table(g, out, w, seat.reader_at);
        if (!there)
            co_return;
    }

    auto last_write = std::chrono::steady_clock::now();
    while (out.is_open() && !me->cut) {
        std::string bytes;
        while (!me->items.empty()) {
            const auto item = me->items.front();
            me->items.pop_front();
            if (item->position > w.from.after) // else we had read further than the shared reader
                bytes += w.take(*item);
        }
        const auto now = std::chrono::steady_clock::now();
        if (bytes.empty() && now - last_write >= heartbeat) {
            w.from.move_to(g.feed.position()); // nothing up to there was for this client
            bytes = w.place();
        }
        if (!bytes.empty()) {
            const bool there = co_await out.write(bytes);
            if (!there)
                co_return;
            last_write = now;
            continue;
        }
        co_await me->arrived.wait_for(look_up);
    }
}

async::task<void> run_stream(gateway& g, http::stream_writer& out, watch w, log::logger log)
{
    try {
        // Says that the stream stands, and how soon to come back when it breaks.
        bool there = co_await out.write("retry: 1000\n: following the event log\n" + w.place());
        if (there)
            there = co_await send_from_table(g, out, w, std::nullopt);
        if (there)
            co_await send_live(g, out, w);
    }
    catch (const base::dependency_down& e) {
        // The stream ends and the client resumes where it stopped: nothing is lost by it.
        log.warning("a stream ended because the database is not available", {{"detail", e.what()}});
    }
}

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
    watch w;
    w.filter = wish.filter;
    w.from = co_await g.db.transact(body);

    http::response out;
    out.headers.set("Content-Type", "text/event-stream");
    out.headers.set("X-Accel-Buffering", "no"); // a proxy that collects would make it anything but live
    out.stream = [&g, w, log = c.request.log](http::stream_writer& writer) -> async::task<void> {
        co_await run_stream(g, writer, w, log);
    };
    co_return out;
}

} // namespace coursegate::web_gateway
