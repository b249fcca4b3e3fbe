// Reading catalog.v_courses in the storage's own statements: they all select these columns of `v`.
#pragma once

#include "coursegate/db/transaction.hpp"
#include "storage/course_row.hpp"

// v.course_id is null when the catalogue has no such course.
#define STEPIK_SYNC_COURSE_COLUMNS                                                                           \
    "v.course_id as v_course_id, coalesce(v.state = 'connected', false) as v_connected, "                    \
    "coalesce(v.stepik_client_id, '') as v_client_id, coalesce(v.stepik_client_secret_box, '') as "          \
    "v_secret_box, "                                                                                         \
    "coalesce(v.sweep_seconds, 0) as v_sweep_seconds"

namespace coursegate::stepik_sync {

inline course_row read_course(const pqxx::row& row, std::int64_t course_id)
{
    course_row out;
    out.course_id = course_id;
    out.is_connected = db::get<bool>(row, "v_connected");
    out.client_id = db::get<std::string>(row, "v_client_id");
    out.secret_box = db::get_bytes(row, "v_secret_box");
    out.sweep_every = std::chrono::seconds(db::get<int>(row, "v_sweep_seconds"));
    return out;
}

} // namespace coursegate::stepik_sync
