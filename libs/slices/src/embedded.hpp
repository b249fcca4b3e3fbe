// The files that the build put into the program: services/*/slice.json, services/*/migrations/**.sql, and the
// built-in migrations of libs/slices.
#pragma once

#include <string_view>
#include <vector>

namespace coursegate::slices {

struct embedded_file
{
    std::string_view path; // from the root of the tree: "services/stepik-sync/slice.json"
    std::string_view content;
};

const std::vector<embedded_file>& embedded_files(); // sorted by path

} // namespace coursegate::slices
