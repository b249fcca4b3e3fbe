// What is wrong with what somebody typed, in his language and naming the field as the page does.
#pragma once

#include "domain/refused.hpp"
#include "pages/pages.hpp"

#include <string>
#include <string_view>

namespace coursegate::web_gateway {

std::string fault_sentence(
    const pages& p, std::string_view language, std::string_view slug, std::string_view field);

inline std::string fault_sentence(const pages& p, std::string_view language, const refused& no)
{
    return fault_sentence(p, language, no.slug(), no.field());
}

// The page for who sent such a thing past a page that would have said so: 400, and which field it is.
http::response not_understood(const pages& p, const refused& no, const reader& who);

} // namespace coursegate::web_gateway
