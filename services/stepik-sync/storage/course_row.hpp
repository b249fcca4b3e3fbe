// A connected course as web-gateway publishes it in catalog.v_courses: whom to ask, and with which
// application.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace coursegate::stepik_sync {

struct course_row
{
    std::int64_t course_id = 0;
    bool is_connected = false; // false: paused, or not in the catalogue at all
    std::string client_id;
    std::string secret_box;              // sealed, see base::keyring
    std::chrono::seconds sweep_every{0}; // 0: as the setting says
};

} // namespace coursegate::stepik_sync
