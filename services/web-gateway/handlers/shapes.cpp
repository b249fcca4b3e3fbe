#include "handlers/shapes.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {

nlohmann::json json_of(const std::optional<base::time_point>& t)
{
    return t ? nlohmann::json(base::to_iso8601(*t)) : nlohmann::json();
}

nlohmann::json json_of(const std::optional<std::string>& t)
{
    return t ? nlohmann::json(*t) : nlohmann::json();
}

nlohmann::json json_of(const std::optional<std::int64_t>& t)
{
    return t ? nlohmann::json(*t) : nlohmann::json();
}

nlohmann::json json_of(const user& u)
{
    nlohmann::json out;
    out["id"] = base::to_string(u.id);
    out["email"] = u.email;
    out["first_name"] = u.first_name;
    out["last_name"] = u.last_name;
    out["stepik_user_id"] = json_of(u.stepik_user_id);
    out["telegram_id"] = json_of(u.telegram_id);
    out["role"] = u.role;
    out["locale"] = u.locale;
    out["has_boom_code"] = u.has_code;
    out["code_version"] = u.code_version;
    out["created_at"] = base::to_iso8601(u.created_at);
    return out;
}

nlohmann::json json_of(const course& c)
{
    nlohmann::json out;
    out["course_id"] = c.id;
    out["title"] = c.title;
    out["state"] = c.state;
    out["source"] = c.source;
    out["stepik_client_id"] = c.stepik_client_id;
    out["has_boomstream_key"] = c.has_boomstream_key;
    out["default_subscription"] = json_of(c.default_subscription);
    out["access_until"] = json_of(c.access_until);
    out["sweep_seconds"] = c.sweep_seconds ? nlohmann::json(*c.sweep_seconds) : nlohmann::json();
    out["connected_at"] = base::to_iso8601(c.connected_at);
    out["changed_at"] = base::to_iso8601(c.changed_at);
    return out;
}

nlohmann::json json_of(const lesson& l)
{
    nlohmann::json out;
    out["lesson_id"] = l.id;
    out["title"] = l.title;
    out["position"] = l.position;
    out["gradable_steps"] = l.gradable_steps;
    out["vanished"] = l.vanished;
    return out;
}

nlohmann::json json_of(const media_part& m)
{
    nlohmann::json out;
    out["lesson_id"] = m.lesson_id;
    out["part"] = m.part;
    out["boom_media"] = m.boom_media;
    out["subscription_code"] = json_of(m.subscription_code);
    out["title"] = m.title;
    return out;
}

nlohmann::json json_of(const access_rule& r)
{
    nlohmann::json out;
    out["scope"] = r.scope;
    out["scope_id"] = r.scope_id;
    out["rule"] = r.rule;
    if (r.days)
        out["days"] = *r.days;
    return out;
}

nlohmann::json json_of(const governing_rule& r)
{
    nlohmann::json out;
    out["rule"] = r.rule;
    out["scope"] = r.scope;
    out["scope_id"] = r.scope == "default" ? nlohmann::json() : nlohmann::json(r.scope_id);
    if (r.days)
        out["days"] = *r.days;
    return out;
}

nlohmann::json json_of(const subscription_use& u)
{
    nlohmann::json out;
    out["subscription_code"] = u.code;
    out["kind"] = u.kind;
    out["is_default"] = u.is_default;
    out["lessons"] = u.lessons;
    out["videos"] = u.videos;
    out["exposed_lessons"] = u.exposed_lessons;
    out["sentence"] = u.sentence;
    return out;
}

nlohmann::json json_of(const std::optional<course_health>& h)
{
    nlohmann::json out;
    if (!h) {
        out["ok"] = false;
        out["problems"] =
            nlohmann::json::array({"The course has not been read from Stepik yet: that usually takes "
                                   "less than a minute after connecting it."});
        return out;
    }
    out["ok"] = h->ok;
    out["problems"] = h->problems;
    out["token_state"] = h->token_state;
    out["can_view_grades"] = h->can_view_grades;
    out["has_learners_group"] = h->has_learners_group;
    out["last_good_sweep_at"] = json_of(h->last_good_sweep_at);
    out["last_structure_at"] = json_of(h->last_structure_at);
    out["last_error"] = json_of(h->last_error);
    out["checked_at"] = json_of(h->checked_at);
    out["students"] = h->students;
    out["pages_done"] = h->pages_done;
    out["pages_expected"] = h->pages_expected;
    return out;
}

nlohmann::json json_of(const std::optional<provider_health>& h, const course& c)
{
    nlohmann::json out;
    const char* no_key =
        "The course has no Boomstream API key: no video can be opened until it is given one.";
    if (!h) {
        out["ok"] = c.has_boomstream_key;
        out["problem"] = c.has_boomstream_key ? nlohmann::json() : nlohmann::json(no_key);
        return out;
    }
    out["ok"] = h->ok && c.has_boomstream_key;
    out["problem"] = c.has_boomstream_key ? json_of(h->problem) : nlohmann::json(no_key);
    out["last_ok_at"] = json_of(h->last_ok_at);
    out["circuit"] = h->circuit;
    out["rate_per_second"] = h->rate_per_second;
    out["waiting_fresh"] = h->waiting_fresh;
    out["waiting_backfill"] = h->waiting_backfill;
    return out;
}

nlohmann::json json_of(const trail_grant& g)
{
    nlohmann::json out;
    out["grant_id"] = base::to_string(g.id);
    out["subscription_code"] = g.subscription_code;
    out["state"] = g.state;
    out["cause"] = g.cause;
    out["lane"] = g.lane;
    out["attempts"] = g.attempts;
    out["provider_reason"] = json_of(g.provider_reason);
    out["next_try_at"] = json_of(g.next_try_at);
    out["wanted_at"] = json_of(g.wanted_at);
    out["asked_at"] = json_of(g.asked_at);
    out["confirmed_at"] = json_of(g.confirmed_at);
    out["revoked_at"] = json_of(g.revoked_at);
    out["revoked_by"] = json_of(g.revoked_by);
    out["revoke_reason"] = json_of(g.revoke_reason);
    out["end_date"] = json_of(g.end_date);
    return out;
}

} // namespace coursegate::web_gateway
