// What the site is made of and what is part of the program: templates (*.html), texts (ru.mo, uk.mo, en.mo)
// and assets. See embed.cmake.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace coursegate::web_gateway {

// By name, without folders: "layout.html". What the views look at lives as long as the program.
using files = std::map<std::string, std::string_view, std::less<>>;

const files& built_in_files();

} // namespace coursegate::web_gateway
