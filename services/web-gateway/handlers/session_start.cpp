#include "handlers/session_start.hpp"

#include "domain/sign_in.hpp"
#include "handlers/visitor.hpp"
#include "pages/pages.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {

std::string new_token()
{
    return base::to_hex(base::random_bytes(32));
}

new_session session_for(const http::request& request, const std::string& token, std::string_view signed_in_by)
{
    new_session out;
    out.session_id = base::new_uuid();
    out.token_hash = base::sha256(token);
    out.signed_in_by = signed_in_by;
    out.user_agent = shortened_user_agent(request.headers.get("User-Agent").value_or(""));
    out.address = request.remote_address;
    if (const auto before = token_of(request))
        out.replaces = base::sha256(*before);
    return out;
}

http::response signed_in_answer(const std::string& token, const std::string& next)
{
    auto out = http::response::redirect(safe_next(next));
    out.headers.add("Set-Cookie", set_cookie(session_cookie, token, session_lasts));
    out.headers.add("Set-Cookie", clear_cookie(login_cookie));
    out.headers.set("Cache-Control", "no-store");
    return out;
}

http::response say_why(const gateway& g, const reader& who, int status, std::string_view heading,
    std::string_view sentence, const std::string& way_on, std::string_view way_title)
{
    const values with{{"way", std::string(way_title)}};
    nlohmann::json data;
    data["heading"] = g.pages.text(who.language, heading);
    data["sentence"] = g.pages.text(who.language, sentence, with);
    data["way_on"] = way_on;
    auto out = g.pages.show("problem", data, who, status);
    out.headers.set("Cache-Control", "no-store");
    return out;
}

http::response database_is_away(const gateway& g, const http::request& request)
{
    request.log.warning("the database is not available");
    auto away = g.pages.problem(503, reader_of(request));
    away.headers.set("Retry-After", "5");
    away.headers.set("Cache-Control", "no-store");
    return away;
}

void count_sign_in(std::string_view how)
{
    metrics::get_counter("coursegate_sign_ins_total", "Tries to sign in on the site, by outcome",
        {{"outcome", std::string(how)}})
        .increment();
}

} // namespace coursegate::web_gateway
