// Files that are part of the program: course/*, page/*. See embed.cmake.
#pragma once

#include <string_view>

namespace coursegate::sandbox {

// The content of "page/index.html" and so on; empty when there is no such file.
std::string_view embedded(std::string_view name);

} // namespace coursegate::sandbox
