// JSON string contents.
#pragma once

#include <string>
#include <string_view>

namespace coursegate::log {

// Appends `text` as the inside of a JSON string: quotes, backslashes and control characters escaped (DEL and
// the line separators U+2028/2029 too, so that no viewer breaks the line), bytes that are not UTF-8 replaced
// by U+FFFD.
void append_escaped(std::string& out, std::string_view text);

} // namespace coursegate::log
