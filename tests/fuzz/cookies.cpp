#include "target.hpp"

#include "domain/sign_in.hpp"

using namespace coursegate::web_gateway;

// The Cookie header, the User-Agent that is kept, and where a sign-in leads to.
void fuzz(std::string_view bytes)
{
    const auto token = cookie_of(bytes, session_cookie);
    if (token)
        must(bytes.find(*token) != bytes.npos, "a cookie's value stands in its header");
    for (const char c : shortened_user_agent(bytes))
        must(c >= ' ' && c <= '~', "a kept User-Agent is printable");
    const auto next = safe_next(bytes);
    must(!next.empty() && next.front() == '/' && next.find('\\') == next.npos &&
             (next.size() < 2 || next[1] != '/'),
        "nobody is sent to another site");
}
