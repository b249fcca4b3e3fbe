// The media map as people copy it out of a spreadsheet and back: a line for each video.
#pragma once

#include "domain/media_map.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace coursegate::web_gateway {

inline constexpr std::size_t most_media_rows = 5000;

struct media_table
{
    std::vector<media_part> rows;
    std::vector<int> lines;                     // of each row, from 1: to find it again in the text
    std::vector<std::optional<refused>> faults; // of each row: what can't be read; its field is the column's
};

// Lesson, part, video, subscription, title; the last two may be left out, and a part that is empty is 1.
// Columns are separated by tabs, else semicolons, else commas, whichever the line has first in this order; a
// title keeps what it has of them. Empty lines and a heading are passed over. Throws `refused` (naming
// "table") for more than most_media_rows.
media_table read_media_table(std::string_view text);

// What read_media_table reads back: tabs, in the order of the map.
std::string write_media_table(const std::vector<media_part>& rows);

// Changes with whatever a plan is made against but the lessons: that nobody changed the map between looking
// and saving.
std::string mark_of(const media_world& world);

} // namespace coursegate::web_gateway
