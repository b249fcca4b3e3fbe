// What every way in ends with: a session for a browser, and a page that says so or why not.
#pragma once

#include "handlers/gateway.hpp"
#include "storage/sessions.hpp"

#include "coursegate/http/server.hpp"

#include <string>
#include <string_view>

namespace coursegate::web_gateway {

struct reader;

// 64 hexadecimal digits of 32 random bytes, as domain/sign_in.hpp knows a token.
std::string new_token();

// A session that waits for its user; the browser's earlier one ends with its start.
new_session session_for(
    const http::request& request, const std::string& token, std::string_view signed_in_by);

// To where he wanted, with the session's cookie.
http::response signed_in_answer(const std::string& token, const std::string& next);

// One sentence and where to go on. Texts of the catalogue; both are never kept.
http::response say_why(const gateway& g, const reader& who, int status, std::string_view heading,
    std::string_view sentence, const std::string& way_on, std::string_view way_title = {});

http::response database_is_away(const gateway& g, const http::request& request);

void count_sign_in(std::string_view how);

} // namespace coursegate::web_gateway
