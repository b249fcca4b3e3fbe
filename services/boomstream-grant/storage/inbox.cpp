#include "storage/inbox.hpp"

#include "coursegate/outbox/outbox.hpp"

namespace coursegate::boomstream_grant {

bool first_time(db::transaction& tx, const std::string& handler, const std::string& message_id)
{
    return outbox::first_time(tx, handler, message_id);
}

} // namespace coursegate::boomstream_grant
