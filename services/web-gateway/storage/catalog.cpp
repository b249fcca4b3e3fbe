#include "storage/catalog.hpp"

#include "domain/refused.hpp"
#include "storage/audit_log.hpp"
#include "storage/learning.hpp"

#include "coursegate/db/transaction.hpp"
#include "coursegate/events/access_rule_changed.hpp"
#include "coursegate/events/course_connected.hpp"
#include "coursegate/events/lesson_media_changed.hpp"
#include "coursegate/outbox/outbox.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace coursegate::web_gateway {
namespace {

#define COURSE_COLUMNS                                                                                       \
    "course_id, title, state, source, stepik_client_id, boomstream_api_key_box IS NOT NULL AS "              \
    "has_boomstream_key,"                                                                                    \
    " default_subscription, access_until, sweep_seconds, connected_at, changed_at, stepik_keys_at,"          \
    " boomstream_key_at"

constexpr db::statement select_courses{
    "catalog.list_courses", "SELECT " COURSE_COLUMNS " FROM catalog.courses ORDER BY course_id"};

constexpr db::statement select_course{
    "catalog.course", "SELECT " COURSE_COLUMNS " FROM catalog.courses WHERE course_id = $1"};

constexpr db::statement select_course_for_change{"catalog.course_for_change",
    "SELECT " COURSE_COLUMNS ", stepik_client_secret_box, boomstream_api_key_box"
    " FROM catalog.courses WHERE course_id = $1 FOR UPDATE"};

constexpr db::statement insert_course{"catalog.insert_course",
    "INSERT INTO catalog.courses (course_id, title, state, source, stepik_client_id, "
    "stepik_client_secret_box,"
    " boomstream_api_key_box, default_subscription, access_until, sweep_seconds, stepik_keys_at, "
    "boomstream_key_at)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING "
    "RETURNING " COURSE_COLUMNS};

constexpr db::statement update_course{"catalog.update_course",
    "UPDATE catalog.courses SET title = $2, state = $3, source = $4, stepik_client_id = $5,"
    " stepik_client_secret_box = $6, boomstream_api_key_box = $7, default_subscription = $8, access_until = "
    "$9,"
    " sweep_seconds = $10, stepik_keys_at = $11, boomstream_key_at = $12, changed_at = now() WHERE course_id "
    "= $1 RETURNING " COURSE_COLUMNS};

#undef COURSE_COLUMNS

constexpr db::statement select_boxes{"catalog.course_boxes",
    "SELECT stepik_client_secret_box, boomstream_api_key_box FROM catalog.courses WHERE course_id = $1"};

constexpr db::statement take_course{
    "catalog.lock_course", "SELECT 1 FROM catalog.courses WHERE course_id = $1 FOR UPDATE"};

constexpr db::statement select_media{"catalog.media",
    "SELECT lesson_id, part, boom_media, subscription_code, title FROM catalog.lesson_media WHERE course_id "
    "= $1"
    " ORDER BY lesson_id, part"};

constexpr db::statement delete_media{"catalog.delete_media",
    "DELETE FROM catalog.lesson_media m USING unnest($2::bigint[], $3::bigint[]) AS gone(lesson_id, part)"
    " WHERE m.course_id = $1 AND m.lesson_id = gone.lesson_id AND m.part = gone.part"};

constexpr db::statement insert_media{"catalog.insert_media",
    "INSERT INTO catalog.lesson_media (course_id, lesson_id, part, boom_media, subscription_code, title)"
    " SELECT $1, lesson_id, part, boom_media, nullif(subscription_code, ''), title"
    " FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])"
    " AS new(lesson_id, part, boom_media, subscription_code, title)"};

constexpr db::statement select_kinds{"catalog.subscription_kinds",
    "SELECT subscription_code, kind FROM catalog.subscriptions WHERE course_id = $1"};

constexpr db::statement note_subscriptions{"catalog.note_subscriptions",
    "INSERT INTO catalog.subscriptions (course_id, subscription_code) SELECT $1, unnest($2::text[])"
    " ON CONFLICT DO NOTHING"};

constexpr db::statement upsert_subscription{"catalog.upsert_subscription",
    "INSERT INTO catalog.subscriptions (course_id, subscription_code, kind) VALUES ($1, $2, $3)"
    " ON CONFLICT (course_id, subscription_code) DO UPDATE SET kind = excluded.kind, set_at = now()"};

constexpr db::statement select_rules{"catalog.rules",
    "SELECT scope, scope_id, rule, days FROM catalog.access_rules WHERE course_id = $1 "
    "ORDER BY scope, scope_id"};

constexpr db::statement upsert_rule{"catalog.upsert_rule",
    "INSERT INTO catalog.access_rules (course_id, scope, scope_id, rule, days) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (course_id, scope, scope_id) DO UPDATE SET rule = excluded.rule, days = excluded.days, "
    "set_at = now()"};

constexpr db::statement delete_rule{"catalog.delete_rule",
    "DELETE FROM catalog.access_rules WHERE course_id = $1 AND scope = $2 AND scope_id = $3"};

constexpr std::string_view courses_table = "catalog.courses";

course read_course(const pqxx::row& r)
{
    course out;
    out.id = db::get<std::int64_t>(r, "course_id");
    out.title = db::get<std::string>(r, "title");
    out.state = db::get<std::string>(r, "state");
    out.source = db::get<std::string>(r, "source");
    out.stepik_client_id = db::get<std::string>(r, "stepik_client_id");
    out.has_boomstream_key = db::get<bool>(r, "has_boomstream_key");
    out.default_subscription = db::get_optional<std::string>(r, "default_subscription");
    out.access_until = db::get_optional<base::time_point>(r, "access_until");
    out.sweep_seconds = db::get_optional<int>(r, "sweep_seconds");
    out.connected_at = db::get<base::time_point>(r, "connected_at");
    out.changed_at = db::get<base::time_point>(r, "changed_at");
    out.stepik_keys_at = db::get_optional<base::time_point>(r, "stepik_keys_at");
    out.boomstream_key_at = db::get_optional<base::time_point>(r, "boomstream_key_at");
    return out;
}

// A course's row with its keys, and the same after a wish.
struct keyed_course
{
    web_gateway::course course;
    std::string secret_box;
    std::optional<std::string> api_key_box;
};

std::optional<keyed_course> read_for_change(db::transaction& tx, std::int64_t id)
{
    const auto rows = tx.exec(select_course_for_change, id);
    if (rows.empty())
        return std::nullopt;
    keyed_course out;
    out.course = read_course(rows[0]);
    out.secret_box = db::get_bytes(rows[0], "stepik_client_secret_box");
    if (!rows[0]["boomstream_api_key_box"].is_null())
        out.api_key_box = db::get_bytes(rows[0], "boomstream_api_key_box");
    return out;
}

std::string seal(
    const base::keyring& keys, const char* column, std::int64_t course_id, const base::secret& value)
{
    const auto row = std::to_string(course_id);
    return keys.seal({courses_table, column, row}, value);
}

// The same secret as the one in the box? A box that does not open counts as another.
bool holds(const base::keyring& keys, const char* column, std::int64_t course_id, const std::string& box,
    const base::secret& value)
{
    const auto row = std::to_string(course_id);
    const auto opened = keys.open({courses_table, column, row}, box);
    return opened.has_value() && *opened == value;
}

nlohmann::json audit_view(const keyed_course& k)
{
    const auto& c = k.course;
    nlohmann::json out{{"title", c.title}, {"state", c.state}, {"source", c.source},
        {"stepik_client_id", c.stepik_client_id}};
    out["sweep_seconds"] = c.sweep_seconds ? nlohmann::json(*c.sweep_seconds) : nlohmann::json();
    out["default_subscription"] =
        c.default_subscription ? nlohmann::json(*c.default_subscription) : nlohmann::json();
    out["access_until"] =
        c.access_until ? nlohmann::json(base::to_iso8601(*c.access_until)) : nlohmann::json();
    out["boomstream_api_key"] = k.api_key_box ? "set" : "none";
    return out;
}

// Applies the wish to what is there; keys that are the same keep their boxes.
keyed_course wished(const base::keyring& keys, const keyed_course& before, const course_settings& wish,
    const std::string& source)
{
    auto out = before;
    auto& c = out.course;
    c.id = wish.id;
    c.source = source;
    c.title = wish.title.value_or(c.title);
    c.state = wish.state.value_or(c.state);
    c.stepik_client_id = wish.stepik_client_id.value_or(c.stepik_client_id);
    c.default_subscription = wish.default_subscription.value_or(c.default_subscription);
    c.access_until = wish.access_until.value_or(c.access_until);
    c.sweep_seconds = wish.sweep_seconds.value_or(c.sweep_seconds);
    constexpr auto secret_column = "stepik_client_secret_box";
    constexpr auto key_column = "boomstream_api_key_box";
    if (const auto& secret = wish.stepik_client_secret;
        secret && !holds(keys, secret_column, wish.id, before.secret_box, *secret))
        out.secret_box = seal(keys, secret_column, wish.id, *secret);
    if (wish.boomstream_api_key) {
        const auto& key = *wish.boomstream_api_key;
        if (!key)
            out.api_key_box.reset();
        else if (!before.api_key_box || !holds(keys, key_column, wish.id, *before.api_key_box, *key))
            out.api_key_box = seal(keys, key_column, wish.id, *key);
    }
    if (out.secret_box != before.secret_box)
        c.stepik_keys_at = base::now();
    if (out.api_key_box != before.api_key_box)
        c.boomstream_key_at = out.api_key_box ? std::optional(base::now()) : std::nullopt;
    return out;
}

db::param box_param(const std::optional<std::string>& box)
{
    return box ? db::bytes(*box) : db::param(std::nullopt);
}

pqxx::result write_course(db::transaction& tx, const db::statement& how, const keyed_course& k)
{
    const auto& c = k.course;
    return tx.exec(how, c.id, c.title, c.state, c.source, c.stepik_client_id, db::bytes(k.secret_box),
        box_param(k.api_key_box), c.default_subscription, c.access_until, c.sweep_seconds, c.stepik_keys_at,
        c.boomstream_key_at);
}

std::string target_of(const course& c)
{
    return "course/" + std::to_string(c.id);
}

void tell_connected(db::transaction& tx, const act& by, const course& c)
{
    events::course_connected connected;
    connected.course_id = c.id;
    connected.source = c.source;
    outbox::add(tx, service_name, connected, cause_of(by));
}

void tell_media_changed(
    db::transaction& tx, const act& by, const course& c, const std::vector<std::int64_t>& lessons)
{
    if (lessons.empty())
        return;
    events::lesson_media_changed changed;
    changed.course_id = c.id;
    changed.lesson_ids = lessons;
    outbox::add(tx, service_name, changed, cause_of(by));
}

nlohmann::json audit_view(const std::vector<media_part>& parts)
{
    auto out = nlohmann::json::array();
    for (const auto& m : parts)
        out.push_back({{"lesson_id", m.lesson_id}, {"part", m.part}, {"boom_media", m.boom_media},
            {"subscription_code",
                m.subscription_code ? nlohmann::json(*m.subscription_code) : nlohmann::json()},
            {"title", m.title}});
    return out;
}

nlohmann::json audit_view(const access_rule& r)
{
    nlohmann::json out{{"scope", r.scope}, {"scope_id", r.scope_id}, {"rule", r.rule}};
    if (r.days)
        out["days"] = *r.days;
    return out;
}

void tell_rule_changed(
    db::transaction& tx, const act& by, const course& c, const std::string& scope, std::int64_t id)
{
    events::access_rule_changed changed;
    changed.course_id = c.id;
    changed.scope = scope;
    changed.scope_id = id;
    outbox::add(tx, service_name, changed, cause_of(by));
}

std::string target_of_rule(const course& c, const std::string& scope, std::int64_t scope_id)
{
    auto out = target_of(c) + "/rule";
    return scope == "course" ? out : out + "/" + scope + "/" + std::to_string(scope_id);
}

} // namespace

put_course_result put_course(db::transaction& tx, const base::keyring& keys, const act& by,
    const course_settings& wish, const std::string& source)
{
    auto before = read_for_change(tx, wish.id);
    if (!before) {
        const auto missing = [](const char* field) {
            return refused(refusal::invalid, slug::missing_field,
                "A new course needs the client id and secret of its Stepik application.", field);
        };
        if (!wish.stepik_client_id)
            throw missing("stepik_client_id");
        if (!wish.stepik_client_secret)
            throw missing("stepik_client_secret");
        keyed_course blank;
        blank.course.state = "connected";
        const auto fresh = wished(keys, blank, wish, source);
        const auto inserted = write_course(tx, insert_course, fresh);
        if (!inserted.empty()) {
            put_course_result out;
            out.course = read_course(inserted[0]);
            out.created = out.changed = true;
            if (out.course.default_subscription)
                tx.exec(
                    note_subscriptions, wish.id, std::vector<std::string>{*out.course.default_subscription});
            write_audit(tx, by, "course.connect", target_of(out.course), nullptr, audit_view(fresh));
            tell_connected(tx, by, out.course);
            return out;
        }
        // Somebody else connected it between the two statements: it is a change of theirs.
        before = read_for_change(tx, wish.id);
        if (!before)
            throw std::runtime_error(
                "course " + std::to_string(wish.id) + " came and went within a transaction");
    }

    if (wish.stepik_client_id && *wish.stepik_client_id != before->course.stepik_client_id &&
        !wish.stepik_client_secret)
        throw refused(refusal::invalid, slug::missing_field,
            "Another Stepik application needs its own secret.", "stepik_client_secret");

    const auto after = wished(keys, *before, wish, source);
    const bool new_secret = after.secret_box != before->secret_box;
    const bool new_key = after.api_key_box != before->api_key_box;
    auto before_view = audit_view(*before);
    auto after_view = audit_view(after);
    if (new_secret)
        after_view["stepik_client_secret"] = "changed";
    if (new_key && after.api_key_box && before->api_key_box)
        after_view["boomstream_api_key"] = "changed";

    put_course_result out;
    out.course = before->course;
    out.changed = before_view != after_view;
    if (!out.changed)
        return out;
    out.course = read_course(write_course(tx, update_course, after)[0]);
    if (out.course.default_subscription)
        tx.exec(note_subscriptions, wish.id, std::vector<std::string>{*out.course.default_subscription});
    write_audit(tx, by, "course.change", target_of(out.course), before_view, after_view);
    before_view.erase("title");
    after_view.erase("title");
    if (before_view != after_view)
        tell_connected(tx, by, out.course);
    return out;
}

std::vector<course> list_courses(db::transaction& tx)
{
    std::vector<course> out;
    for (const auto& r : tx.exec(select_courses))
        out.push_back(read_course(r));
    return out;
}

std::optional<course> find_course(db::transaction& tx, std::int64_t course_id)
{
    const auto rows = tx.exec(select_course, course_id);
    if (rows.empty())
        return std::nullopt;
    return read_course(rows[0]);
}

course course_named(db::transaction& tx, std::int64_t course_id, const std::string& field)
{
    const auto found = find_course(tx, course_id);
    if (!found)
        throw refused(refusal::not_found, slug::course_not_found,
            "Course " + std::to_string(course_id) + " is not connected here.", field);
    return *found;
}

course_keys keys_of(db::transaction& tx, const base::keyring& keys, std::int64_t course_id)
{
    course_keys out;
    const auto rows = tx.exec(select_boxes, course_id);
    if (rows.empty())
        return out;
    const auto row = std::to_string(course_id);
    const auto open = [&](const char* column) -> std::optional<base::secret> {
        if (rows[0][column].is_null())
            return std::nullopt;
        const auto opened = keys.open({courses_table, column, row}, db::get_bytes(rows[0], column));
        return opened.has_value() ? std::optional(*opened) : std::nullopt;
    };
    out.stepik_client_secret = open("stepik_client_secret_box");
    out.boomstream_api_key = open("boomstream_api_key_box");
    return out;
}

void lock_course(db::transaction& tx, std::int64_t course_id)
{
    tx.exec(take_course, course_id);
}

media_world read_media_world(db::transaction& tx, const course& c)
{
    media_world out;
    out.default_subscription = c.default_subscription;
    for (const auto& r : tx.exec(select_media, c.id)) {
        media_part m;
        m.lesson_id = db::get<std::int64_t>(r, "lesson_id");
        m.part = db::get<int>(r, "part");
        m.boom_media = db::get<std::string>(r, "boom_media");
        m.subscription_code = db::get_optional<std::string>(r, "subscription_code");
        m.title = db::get<std::string>(r, "title");
        out.existing.push_back(std::move(m));
    }
    for (const auto& r : tx.exec(select_kinds, c.id))
        out.kinds.emplace(db::get<std::string>(r, "subscription_code"), db::get<std::string>(r, "kind"));
    out.structure = structure_of(tx, c.id);
    return out;
}

void require_structure(
    db::transaction& tx, const media_world& world, const course& c, const std::string& field)
{
    if (!world.structure.empty())
        return;
    const auto health = health_of_course(tx, c.id);
    auto sentence = std::string("The lessons of this course have not been read from Stepik yet. ");
    if (health && !health->ok && !health->problems.empty())
        sentence += "What stands in the way: " + health->problems.front();
    else
        sentence += "That usually takes less than a minute after connecting it: try again then.";
    throw refused(refusal::conflict, slug::structure_unknown, sentence, field);
}

media_plan put_media(db::transaction& tx, const act& by, const course& c, const std::vector<media_part>& rows,
    std::optional<std::int64_t> whole_lesson, bool dry_run, bool whole_course)
{
    lock_course(tx, c.id);
    const auto world = read_media_world(tx, c);
    // Taking videos away must work whatever became of the lesson; everything else needs it to be there.
    const bool takes_away =
        rows.empty() && std::any_of(world.existing.begin(), world.existing.end(),
                            [&](const media_part& m) { return m.lesson_id == whole_lesson; });
    if (!takes_away) {
        require_structure(tx, world, c, "course_id");
        const bool there = !whole_lesson || std::any_of(world.structure.begin(), world.structure.end(),
                                                [&](const lesson& l) { return l.id == *whole_lesson; });
        if (!there)
            throw refused(refusal::not_found, slug::lesson_not_found,
                "The course has no lesson " + std::to_string(*whole_lesson) + ".", "lesson_id");
    }
    auto plan = plan_media(world, rows, whole_lesson, whole_course);
    if (dry_run || plan.first_refused() || plan.changed_lessons.empty())
        return plan;

    std::vector<std::int64_t> lessons, parts;
    for (const auto& m : plan.to_remove)
        lessons.push_back(m.lesson_id), parts.push_back(m.part);
    tx.exec(delete_media, c.id, lessons, parts);

    lessons.clear(), parts.clear();
    std::vector<std::string> media, subscriptions, titles;
    std::set<std::string> named;
    for (const auto& m : plan.to_write) {
        lessons.push_back(m.lesson_id);
        parts.push_back(m.part);
        media.push_back(m.boom_media);
        subscriptions.push_back(m.subscription_code.value_or(""));
        titles.push_back(m.title);
        if (m.subscription_code)
            named.insert(*m.subscription_code);
    }
    tx.exec(insert_media, c.id, lessons, parts, media, subscriptions, titles);
    tx.exec(note_subscriptions, c.id, std::vector<std::string>(named.begin(), named.end()));

    const auto target =
        whole_lesson ? target_of(c) + "/lesson/" + std::to_string(*whole_lesson) : target_of(c);
    write_audit(tx, by, "media.change", target, audit_view(plan.to_remove), audit_view(plan.to_write));
    tell_media_changed(tx, by, c, plan.changed_lessons);
    return plan;
}

bool put_subscription(
    db::transaction& tx, const act& by, const course& c, const std::string& code, const std::string& kind)
{
    lock_course(tx, c.id);
    auto world = read_media_world(tx, c);
    const auto before = world.kinds.find(code);
    const bool is_new = before == world.kinds.end();
    if (!is_new && before->second == kind)
        return false;
    const auto old_kind = is_new ? nlohmann::json() : nlohmann::json(before->second);

    world.kinds[code] = kind;
    const auto uses = subscription_uses(world);
    const auto use = std::find_if(uses.begin(), uses.end(), [&](const auto& u) { return u.code == code; });
    if (kind == "single" && use->lessons.size() > 1)
        throw refused(refusal::conflict, slug::single_subscription,
            "Subscription " + code + " holds " + std::to_string(use->lessons.size()) +
                " lessons: a single one can hold one. Give the others their own first.",
            "kind");
    tx.exec(upsert_subscription, c.id, code, kind);
    write_audit(tx, by, "subscription.set", target_of(c) + "/subscription/" + code,
        is_new ? nlohmann::json() : nlohmann::json{{"kind", old_kind}}, nlohmann::json{{"kind", kind}});
    tell_media_changed(tx, by, c, use->lessons);
    return is_new;
}

std::vector<access_rule> rules_of(db::transaction& tx, std::int64_t course_id)
{
    std::vector<access_rule> out;
    for (const auto& r : tx.exec(select_rules, course_id)) {
        access_rule rule;
        rule.scope = db::get<std::string>(r, "scope");
        rule.scope_id = db::get<std::int64_t>(r, "scope_id");
        rule.rule = db::get<std::string>(r, "rule");
        rule.days = db::get_optional<int>(r, "days");
        out.push_back(std::move(rule));
    }
    return out;
}

void put_rule(db::transaction& tx, const act& by, const course& c, const access_rule& rule)
{
    lock_course(tx, c.id);
    if (rule.scope != "course") {
        const auto world = read_media_world(tx, c);
        require_structure(tx, world, c, "course_id");
        const bool is_module = rule.scope == "module";
        const bool there = std::any_of(world.structure.begin(), world.structure.end(), [&](const lesson& l) {
            return !l.vanished && (is_module ? l.module_id : l.id) == rule.scope_id;
        });
        if (!there)
            throw refused(refusal::not_found, is_module ? slug::module_not_found : slug::lesson_not_found,
                "The course has no " + rule.scope + " " + std::to_string(rule.scope_id) + ".", "scope_id");
    }
    const auto rules = rules_of(tx, c.id);
    const auto before = std::find_if(rules.begin(), rules.end(),
        [&](const access_rule& r) { return r.scope == rule.scope && r.scope_id == rule.scope_id; });
    if (before != rules.end() && *before == rule)
        return;
    tx.exec(upsert_rule, c.id, rule.scope, rule.scope_id, rule.rule, rule.days);
    write_audit(tx, by, "rule.set", target_of_rule(c, rule.scope, rule.scope_id),
        before == rules.end() ? nlohmann::json() : audit_view(*before), audit_view(rule));
    tell_rule_changed(tx, by, c, rule.scope, rule.scope_id);
}

void remove_rule(
    db::transaction& tx, const act& by, const course& c, const std::string& scope, std::int64_t scope_id)
{
    lock_course(tx, c.id);
    const auto rules = rules_of(tx, c.id);
    const auto before = std::find_if(rules.begin(), rules.end(),
        [&](const access_rule& r) { return r.scope == scope && r.scope_id == scope_id; });
    if (before == rules.end())
        throw refused(refusal::not_found, slug::rule_not_found, "No rule is set there.",
            scope == "course" ? "scope" : "scope_id");
    tx.exec(delete_rule, c.id, scope, scope_id);
    write_audit(tx, by, "rule.remove", target_of_rule(c, scope, scope_id), audit_view(*before), nullptr);
    tell_rule_changed(tx, by, c, scope, scope_id);
}

} // namespace coursegate::web_gateway
