// Server-sent events without content: the page asks for its part again, with all the checks of a page. So
// nothing is lost when a stream breaks at any moment: a page looks when its stream opens, and by itself now
// and then.
#include "handlers/moves.hpp"

#include "handlers/feed_stream.hpp"
#include "storage/feed.hpp"
#include "storage/users.hpp"

#include "coursegate/http/sse.hpp"

namespace coursegate::web_gateway {
namespace {

constexpr std::chrono::seconds heartbeat{15};
// A stream has to notice within a second that its reader or the server is going.
constexpr std::chrono::milliseconds look_up{500};
// Then the browser comes again, and shows who it is: a session may have ended meanwhile.
constexpr std::chrono::minutes longest{10};

std::string moved()
{
    http::sse_event e;
    e.event = "moved";
    e.data = "1";
    return http::format_sse(e);
}

// Several events that came together are one.
async::task<void> tell(gateway& g, http::stream_writer& out, feed_filter about, feed_position from)
{
    const auto executor = co_await async::this_executor();
    const auto me = std::make_shared<feed_reader::follower>(executor, std::move(about));
    const feed_reader::seat seat(g.feed, me, from);

    const auto began = std::chrono::steady_clock::now();
    auto last_write = began;
    bool there = co_await out.write("retry: 1000\n" + http::sse_comment("open"));
    while (there && out.is_open() && !me->cut) {
        const auto now = std::chrono::steady_clock::now();
        if (now - began >= longest)
            co_return;
        std::string bytes;
        if (!me->items.empty())
            bytes = moved();
        else if (now - last_write >= heartbeat)
            bytes = http::sse_comment();
        me->items.clear();
        if (bytes.empty()) {
            co_await me->arrived.wait_for(look_up);
            continue;
        }
        there = co_await out.write(bytes);
        last_write = now;
    }
}

} // namespace

async::task<http::response> moves_stream(gateway& g, http::request&, const visitor& who)
{
    feed_filter about;
    about.person.emplace();
    about.person->user_id = who.user_id;
    auto body = [&](db::transaction& tx) {
        const auto u = find_user(tx, who.user_id);
        about.person->stepik_user_id = u ? u->stepik_user_id : std::nullopt;
        return feed_end(tx);
    };
    const auto end = co_await g.db.transact(body);

    auto out = stream_answer();
    out.stream = [&g, about, from = end.after](http::stream_writer& writer) -> async::task<void> {
        co_await tell(g, writer, about, from);
    };
    co_return out;
}

} // namespace coursegate::web_gateway
