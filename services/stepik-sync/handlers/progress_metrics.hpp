// What a reading of grades found, counted.
#pragma once

#include "storage/rows.hpp"

#include <chrono>

namespace coursegate::stepik_sync {

// `source`: "sweep", "first_sweep" or "check". `since_last_byte`: from the answer's last byte to the commit.
void count_rows(const rows_saved& saved, int malformed, const char* source,
    std::chrono::duration<double> since_last_byte);
void count_page(const char* outcome); // "ok", "beyond", "postponed", "failed"
void count_sweep(const char* outcome, std::chrono::duration<double> took);

} // namespace coursegate::stepik_sync
