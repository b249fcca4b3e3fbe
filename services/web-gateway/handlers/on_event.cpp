#include "handlers/on_event.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace coursegate::web_gateway {
namespace {

std::optional<std::int64_t> id_in(const nlohmann::json& data, const char* name)
{
    const auto found = data.find(name);
    if (found == data.end() || !found->is_number_integer())
        return std::nullopt;
    return found->get<std::int64_t>();
}

std::optional<base::uuid> uuid_in(const nlohmann::json& data, const char* name)
{
    const auto found = data.find(name);
    if (found == data.end() || !found->is_string())
        return std::nullopt;
    const auto id = base::parse_uuid(found->get_ref<const std::string&>());
    if (!id.has_value())
        return std::nullopt;
    return *id;
}

} // namespace

// One message that waits for its row to be committed.
struct on_event::waiting
{
    waiting(feed_record r, async::executor ex) : record(std::move(r)), done(std::move(ex)) {}

    feed_record record;
    async::signal done;
    bool leads = false;    // writes the next batch
    bool finished = false; // committed, or failed
    std::exception_ptr failure;
};

feed_record record_of(const events::envelope& e)
{
    feed_record out;
    out.event_id = e.id;
    out.event = e.to_body();
    out.type = e.type;
    const auto data = nlohmann::json::parse(e.data, nullptr, false);
    if (!data.is_object())
        return out;
    out.course_id = id_in(data, "course_id");
    out.lesson_id = id_in(data, "lesson_id");
    out.stepik_user_id = id_in(data, "stepik_user_id");
    out.user_id = uuid_in(data, "user_id");
    return out;
}

async::task<events::verdict> on_event::handle(events::message_context& context)
{
    auto record = record_of(context.envelope);
    // JSON may say it, PostgreSQL's jsonb can't hold it, and no later try will change that.
    if (record.event.find("\\u0000") != std::string::npos)
        co_return events::verdict::dead_letter("the event has a NUL character in a text");
    co_await append(std::move(record));
    co_return events::verdict::ack();
}

// One message's place in the queue. Leaving it, in whatever way, takes the message out and passes the lead
// on.
struct on_event::place
{
    place(on_event& o, std::shared_ptr<waiting> w) : owner(o), mine(std::move(w))
    {
        owner.pending_.push_back(mine);
        mine->leads = !owner.writing_;
        owner.writing_ = true;
    }
    ~place()
    {
        std::erase(owner.pending_, mine);
        if (!mine->leads)
            return;
        if (owner.pending_.empty()) {
            owner.writing_ = false;
            return;
        }
        owner.pending_.front()->leads = true;
        owner.pending_.front()->done.set();
    }
    place(const place&) = delete;

    on_event& owner;
    std::shared_ptr<waiting> mine;
};

std::vector<std::shared_ptr<on_event::waiting>> on_event::take_batch()
{
    const auto end = pending_.begin() + static_cast<std::ptrdiff_t>(std::min(pending_.size(), most_at_once));
    std::vector<std::shared_ptr<waiting>> out(pending_.begin(), end);
    pending_.erase(pending_.begin(), end);
    return out;
}

async::task<void> on_event::append(feed_record record)
{
    const auto executor = co_await async::this_executor();
    const auto mine = std::make_shared<waiting>(std::move(record), executor);
    const place here(*this, mine);
    while (!mine->finished) {
        // The one in front writes for all who wait behind it, once; then the next one does, so that no
        // message waits longer for its ack than for two transactions.
        if (mine->leads) {
            auto batch = take_batch();
            co_await write_batch(std::move(batch));
        }
        else
            co_await mine->done.wait_for(std::chrono::seconds(60));
    }
    if (mine->failure)
        std::rethrow_exception(mine->failure);
}

async::task<void> on_event::write_batch(std::vector<std::shared_ptr<waiting>> batch)
{
    std::vector<feed_record> records;
    for (const auto& w : batch)
        records.push_back(w->record);
    std::exception_ptr failure;
    bool database_away = false;
    try {
        auto body = [&](db::transaction& tx) { append_to_feed(tx, records); };
        co_await db_.transact(body);
    }
    catch (const base::dependency_down&) {
        failure = std::current_exception();
        database_away = true;
    }
    catch (const std::exception&) {
        failure = std::current_exception();
    }
    // One bad event must not take the others with it: each by itself, and only the bad one fails.
    if (failure && !database_away && batch.size() > 1) {
        for (const auto& w : batch) {
            std::vector<std::shared_ptr<waiting>> alone{w};
            co_await write_batch(std::move(alone));
        }
        co_return;
    }
    for (const auto& w : batch) {
        w->failure = failure;
        w->finished = true;
        w->done.set();
    }
}

} // namespace coursegate::web_gateway
