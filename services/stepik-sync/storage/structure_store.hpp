// The course's structure as stored, and the turn to read it.
#pragma once

#include "coursegate/base/uuid.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/events/envelope.hpp"
#include "domain/structure.hpp"
#include "storage/course_row.hpp"

#include <optional>

namespace coursegate::stepik_sync {

struct structure_turn
{
    course_row course;
    base::time_point claimed_at{}; // the database's clock
};

struct structure_facts
{
    structure_reading reading;
    std::optional<int> learners_count;
    std::string mark; // of the course object, see course_answer
};

class structure_store
{
public:
    structure_store(db::pool& pool, std::chrono::seconds sweep_every);

    // A course was connected, or its keys changed: read everything now, and tell the structure even if
    // nothing changed. Idempotent. The message that starts the reading commits with it.
    async::task<void> course_connected(std::int64_t course_id, events::cause because);

    // The right to read the structure, or nullopt: it is not due (any more), or another message is at it. The
    // same message gets it again after a crash.
    async::task<std::optional<structure_turn>> claim(std::int64_t course_id, base::uuid message_id);

    // Stores the reading: rows, what changed, event. One transaction; a reading that began before one already
    // stored changes nothing.
    async::task<structure_change> save(
        const structure_turn& turn, const structure_facts& facts, events::cause because);

    async::task<void> fail(const structure_turn& turn);

    // The course object, seen by a sweep: when it was edited, its structure is due.
    async::task<void> course_seen(
        std::int64_t course_id, std::optional<int> learners_count, std::string mark);

private:
    db::pool& pool_;
    std::chrono::seconds sweep_every_;
};

} // namespace coursegate::stepik_sync
