#include "handlers/environment_course.hpp"

#include "storage/catalog.hpp"

#include "coursegate/base/uuid.hpp"
#include "coursegate/log/log.hpp"

namespace coursegate::web_gateway {

environment_course::environment_course(
    db::pool& db, const base::keyring& keys, std::optional<course_settings> given)
    : db_(db), keys_(keys), given_(std::move(given))
{}

async::task<void> environment_course::start()
{
    if (!given_)
        co_return;
    act by;
    by.who = "environment";
    by.request_id = base::to_string(base::new_uuid());
    auto body = [&](db::transaction& tx) { return put_course(tx, keys_, by, *given_, "environment"); };
    const auto done = co_await db_.transact(body);
    if (done.changed)
        log::info("the course of the environment was written",
            {{"course_id", done.course.id}, {"created", done.created}});
}

async::task<void> environment_course::stop()
{
    co_return;
}

async::health environment_course::check() const
{
    return {};
}

} // namespace coursegate::web_gateway
