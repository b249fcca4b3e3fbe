#include "handlers/feed_stream.hpp"

#include "domain/refused.hpp"
#include "storage/feed.hpp"

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr int page_rows = 500;
constexpr std::chrono::seconds heartbeat{15};
// A stream has to notice within a second that its reader or the server is going.
constexpr std::chrono::milliseconds look_up{500};

// What one client wants and how far it has come.
struct watch
{
    gateway& g;
    http::stream_writer& out;
    feed_filter filter;
    feed_place from;
    feed_words& words;
    std::chrono::milliseconds together;
    std::vector<placed_item> taken{};

    // Moves behind the item, and keeps it when the client is to see it.
    void take(const feed_item_ptr& item)
    {
        const bool wanted = filter.wants(*item) && !from.was_there(item->position);
        from.move_to(item->position);
        if (wanted)
            taken.push_back({item, from});
    }

    // An id and no event: who is cut before its first event, or long after its last, resumes from here.
    std::string place() const { return "id: " + to_string(from) + "\n\n"; }
};

// Tells what was taken. False: the stream is over.
async::task<bool> send_taken(watch& w)
{
    if (w.taken.empty())
        co_return true;
    const auto bytes = co_await w.words.tell(w.taken);
    w.taken.clear();
    if (!bytes)
        co_return false;
    if (bytes->empty())
        co_return true;
    co_return co_await w.out.write(*bytes);
}

// Writes what the table has up to `up_to`. False: the stream is over.
async::task<bool> send_from_table(watch& w, std::optional<feed_position> up_to)
{
    while (w.out.is_open()) {
        auto body = [&](db::transaction& tx) { return read_feed(tx, w.from.after, page_rows, up_to); };
        const auto page = co_await w.g.db.transact(body);
        for (const auto& row : page.rows)
            w.take(make_item(row));
        const bool there = co_await send_taken(w);
        if (!there)
            co_return false;
        if (page.rows.size() < static_cast<std::size_t>(page_rows))
            co_return true;
    }
    co_return false;
}

async::task<void> send_live(watch& w)
{
    const auto executor = co_await async::this_executor();
    const auto me = std::make_shared<feed_reader::follower>(executor, w.filter);
    const feed_reader::seat seat(w.g.feed, me, w.from.after);

    // What the shared reader had already handed to others while we caught up.
    if (w.from.after < seat.reader_at) {
        const bool there = co_await send_from_table(w, seat.reader_at);
        if (!there)
            co_return;
    }

    auto last_told = std::chrono::steady_clock::now() - w.together;
    auto last_write = std::chrono::steady_clock::now();
    while (w.out.is_open() && !me->cut) {
        const auto now = std::chrono::steady_clock::now();
        if (!me->items.empty() && now - last_told >= w.together) {
            while (!me->items.empty()) {
                const auto item = me->items.front();
                me->items.pop_front();
                if (item->position > w.from.after) // else we had read further than the shared reader
                    w.take(item);
            }
            const bool there = co_await send_taken(w);
            if (!there)
                co_return;
            last_told = last_write = now;
            continue;
        }
        if (me->items.empty() && now - last_write >= heartbeat) {
            w.from.move_to(w.g.feed.position()); // nothing up to there was for this client
            const auto bytes = w.place();
            const bool there = co_await w.out.write(bytes);
            if (!there)
                co_return;
            last_write = now;
            continue;
        }
        const auto rest =
            me->items.empty() ? std::chrono::steady_clock::duration(look_up) : last_told + w.together - now;
        const std::chrono::microseconds pause =
            std::chrono::ceil<std::chrono::microseconds>(std::min<decltype(rest)>(rest, look_up));
        co_await me->arrived.wait_for(pause);
    }
}

} // namespace

std::optional<feed_place> last_seen_place(const http::request& request)
{
    const auto last = request.headers.get("Last-Event-ID");
    if (!last || last->empty())
        return std::nullopt;
    const auto place = parse_feed_place(*last);
    if (!place.has_value())
        throw invalid("Last-Event-ID", "An event id of this stream is written xid.seq.");
    return *place;
}

http::response stream_answer()
{
    http::response out;
    out.headers.set("Content-Type", "text/event-stream");
    out.headers.set("X-Accel-Buffering", "no"); // a proxy that collects would make it anything but live
    return out;
}

async::task<void> follow_feed(gateway& g, http::stream_writer& out, feed_filter filter, feed_place from,
    feed_words& words, std::chrono::milliseconds together, log::logger log)
{
    watch w{g, out, std::move(filter), std::move(from), words, together};
    try {
        // Says that the stream stands, and how soon to come back when it breaks.
        const auto opening = "retry: 1000\n: following the event log\n" + w.place();
        bool there = co_await out.write(opening);
        if (there)
            there = co_await send_from_table(w, std::nullopt);
        if (there)
            co_await send_live(w);
    }
    catch (const base::dependency_down& e) {
        // The stream ends and the client resumes where it stopped: nothing is lost by it.
        log.warning("a stream ended because the database is not available", {{"detail", e.what()}});
    }
}

} // namespace coursegate::web_gateway
