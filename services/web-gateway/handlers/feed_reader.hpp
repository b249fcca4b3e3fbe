// Follows the event log for everybody in this process who watches it: one query for all, each row parsed
// once, then handed to every follower through a bounded buffer of its own.
#pragma once

#include "domain/feed_position.hpp"

#include "coursegate/async/component.hpp"
#include "coursegate/async/gate.hpp"
#include "coursegate/async/signal.hpp"
#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct feed_row;

// One event of the log, ready to be sent.
struct feed_item
{
    feed_position position;
    std::string type;
    std::optional<std::int64_t> course_id{};
    std::optional<std::int64_t> stepik_user_id{};
    std::optional<base::uuid> user_id{};
    std::string data; // JSON on one line: the event's data, event_id, time, type
};
using feed_item_ptr = std::shared_ptr<const feed_item>;

feed_item_ptr make_item(const feed_row& row);

// One student: events name him by either id.
struct feed_person
{
    base::uuid user_id{};
    std::optional<std::int64_t> stepik_user_id{};
};

// What one stream wants to see.
struct feed_filter
{
    std::optional<feed_person> person{};             // nothing: everybody
    std::optional<std::vector<std::int64_t>> only{}; // these courses; nothing: all, and what is of no course
    std::optional<std::int64_t> course_id{};
    std::set<std::string> types{}; // empty: all

    bool wants(const feed_item& item) const;
};

// Lives on the daemon's executor; so do its followers.
class feed_reader final : public async::component
{
public:
    feed_reader(async::executor ex, db::pool& db);
    ~feed_reader() override;

    // Something may have been appended (NOTIFY). Executor only.
    void wake();

    // A reader's place in the live log. Keeps at most `most_buffered` items that were not taken yet; when
    // more come, it is cut: what it missed is in the table, and the client resumes by Last-Event-ID.
    class follower
    {
    public:
        follower(async::executor ex, feed_filter f) : filter(std::move(f)), arrived(std::move(ex)) {}

        feed_filter filter;
        std::deque<feed_item_ptr> items;
        async::signal arrived; // set with each item, and when cut
        bool cut = false;
    };
    static constexpr std::size_t most_buffered = 1000;

    // Starts to fill the follower with everything behind the returned position. `caught_up_to` is how far it
    // has read the table by itself: where nobody else follows, the reader goes on from there.
    feed_position attach(const std::shared_ptr<follower>& f, const feed_position& caught_up_to);
    void detach(const std::shared_ptr<follower>& f);
    std::size_t followers() const { return followers_.size(); }
    // Everything up to here was handed to the followers.
    const feed_position& position() const { return position_; }

    std::string_view name() const override { return "feed"; }
    async::task<void> start() override;
    async::task<void> stop() override;
    async::health check()
        const override; // not ok when the log could not be read for 30 s while somebody follows

    // Attached as long as it lives.
    class seat
    {
    public:
        seat(feed_reader& log, std::shared_ptr<follower> f, const feed_position& caught_up_to)
            : reader_at(log.attach(f, caught_up_to)), log_(log), follower_(std::move(f))
        {}
        ~seat() { log_.detach(follower_); }
        seat(const seat&) = delete;

        const feed_position reader_at; // everything behind it reaches the follower

    private:
        feed_reader& log_;
        std::shared_ptr<follower> follower_;
    };

private:
    async::task<void> follow_log();
    void hand_out(const feed_item_ptr& item);

    db::pool& db_;
    async::gate gate_;
    async::signal woken_;
    std::set<std::shared_ptr<follower>> followers_;
    feed_position position_;
    std::optional<base::time_point> failing_since_;
    std::string failure_;
};

} // namespace coursegate::web_gateway
