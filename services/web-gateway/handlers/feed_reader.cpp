#include "handlers/feed_reader.hpp"

#include "storage/feed.hpp"

#include "coursegate/log/log.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

constexpr int page_rows = 500;
// The truth behind NOTIFY, which may be lost with its connection.
constexpr std::chrono::milliseconds poll{1000};
// Nobody follows: attach() wakes us.
constexpr std::chrono::milliseconds nobody_follows{60'000};
// Rows are there but an older transaction still runs: it ends soon, and nothing announces that.
constexpr std::chrono::milliseconds unsettled_poll{25};
constexpr std::chrono::seconds failing_limit{30};

metrics::gauge& followers_gauge()
{
    static auto& g = metrics::get_gauge("coursegate_feed_followers", "Streams that follow the event log");
    return g;
}

metrics::counter& cut_counter()
{
    static auto& c =
        metrics::get_counter("coursegate_feed_cut_total", "Streams cut because their reader was too slow");
    return c;
}

} // namespace

feed_item_ptr make_item(const feed_row& row)
{
    auto item = std::make_shared<feed_item>();
    item->position = row.position;
    item->type = row.type;
    item->course_id = row.course_id;
    item->stepik_user_id = row.stepik_user_id;
    item->user_id = row.user_id;
    const auto event = nlohmann::json::parse(row.event, nullptr, false);
    auto data = nlohmann::json::object();
    if (event.is_object()) {
        if (const auto d = event.find("data"); d != event.end() && d->is_object())
            data = *d;
        data["event_id"] = event.value("id", "");
        data["time"] = event.value("time", "");
    }
    data["type"] = row.type;
    item->data = data.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return item;
}

bool feed_filter::wants(const feed_item& item) const
{
    if (only && (!item.course_id || std::find(only->begin(), only->end(), *item.course_id) == only->end()))
        return false;
    if (course_id && item.course_id != course_id)
        return false;
    if (person && item.user_id != person->user_id &&
        (!person->stepik_user_id || item.stepik_user_id != person->stepik_user_id))
        return false;
    return types.empty() || types.contains(item.type);
}

feed_reader::feed_reader(async::executor ex, db::pool& db) : db_(db), gate_(ex), woken_(ex) {}

feed_reader::~feed_reader() = default;

void feed_reader::wake()
{
    woken_.set();
}

feed_position feed_reader::attach(const std::shared_ptr<follower>& f, const feed_position& caught_up_to)
{
    if (followers_.empty())
        position_ = caught_up_to; // nobody followed: the reader stood still, and may stand anywhere
    followers_.insert(f);
    followers_gauge().set(static_cast<double>(followers_.size()));
    woken_.set();
    return position_;
}

void feed_reader::detach(const std::shared_ptr<follower>& f)
{
    followers_.erase(f);
    followers_gauge().set(static_cast<double>(followers_.size()));
    if (followers_.empty())
        failing_since_.reset();
}

async::task<void> feed_reader::start()
{
    gate_.spawn("feed_reader.follow_log", [this]() -> async::task<void> { co_await follow_log(); });
    co_return;
}

async::task<void> feed_reader::stop()
{
    co_await gate_.close();
}

async::health feed_reader::check() const
{
    async::health out;
    if (failing_since_ && base::now() - *failing_since_ > failing_limit) {
        out.ok = false;
        out.detail = "the event log can't be read: " + failure_;
    }
    return out;
}

void feed_reader::hand_out(const feed_item_ptr& item)
{
    for (const auto& f : followers_) {
        if (f->cut || !f->filter.wants(*item))
            continue;
        if (f->items.size() >= most_buffered) {
            f->cut = true;
            f->items.clear();
            cut_counter().increment();
        }
        else
            f->items.push_back(item);
        f->arrived.set();
    }
}

async::task<void> feed_reader::follow_log()
{
    std::chrono::milliseconds pause = poll;
    while (!gate_.is_closing()) {
        co_await woken_.wait_for(followers_.empty() ? nobody_follows : pause);
        pause = poll;
        while (!followers_.empty() && !gate_.is_closing()) {
            const auto from = position_;
            feed_page page;
            std::string failure;
            try {
                auto body = [&](db::transaction& tx) { return read_feed(tx, from, page_rows); };
                page = co_await db_.transact(body);
            }
            catch (const base::dependency_down& e) {
                failure = e.what();
            }
            if (!failure.empty()) {
                failure_ = failure;
                if (!failing_since_)
                    failing_since_ = base::now();
                break;
            }
            failing_since_.reset();
            // While the query ran the last follower may have gone and another come, from another place.
            if (position_ != from)
                continue;
            for (const auto& row : page.rows) {
                hand_out(make_item(row));
                position_ = row.position;
            }
            if (page.more_unsettled)
                pause = unsettled_poll;
            if (page.rows.size() < static_cast<std::size_t>(page_rows))
                break;
        }
    }
}

} // namespace coursegate::web_gateway
