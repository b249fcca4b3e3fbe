#include "storage/books.hpp"

#include "coursegate/db/transaction.hpp"
#include "domain/moscow_time.hpp"

namespace coursegate::boomstream_grant {

namespace {

using db::get;
using db::get_optional;

constexpr std::chrono::seconds longest_kept{60};

constexpr db::statement select_courses{"access.select_courses",
    "select c.course_id, c.state = 'connected' as connected, c.default_subscription, c.access_until,"
    " c.boomstream_api_key_box, coalesce(h.ok, true) as key_works, coalesce(v.version, 0) as version,"
    " exists (select from catalog.v_access_rules r where r.course_id = c.course_id and r.rule = 'always') as "
    "opens_to_all"
    " from catalog.v_courses c left join provider_health h using (course_id) left join course_versions v "
    "using (course_id)"};

constexpr db::statement select_lessons{"access.select_lessons",
    "select lesson_id, module_id, gradable_steps, vanished from learning.v_structure where course_id = $1"
    " order by module_position, module_id, lesson_position, lesson_id"};

constexpr db::statement select_media{"access.select_media",
    "select lesson_id, part, boom_media, subscription_code from catalog.v_lesson_media where course_id = $1"
    " order by lesson_id, part"};

constexpr db::statement select_rules{"access.select_rules",
    "select scope, scope_id, rule, days from catalog.v_access_rules where course_id = $1"};

constexpr db::statement select_media_since{"access.select_media_since",
    "select lesson_id, subscription_code, since from media_since where course_id = $1"};

constexpr db::statement insert_media_since{"access.insert_media_since",
    "insert into media_since (course_id, lesson_id, subscription_code)"
    " select $1, lesson_id, code from unnest($2::bigint[], $3::text[]) as t (lesson_id, code)"
    " order by lesson_id, code on conflict do nothing"};

std::shared_ptr<const course_book> read_book(db::transaction& tx, const course_row& c)
{
    auto book = std::make_shared<course_book>();
    book->course_id = c.course_id;
    book->connected = c.connected;
    book->default_subscription = c.default_subscription;
    book->ends_at = c.ends_at;
    for (const auto& row : tx.exec(select_lessons, c.course_id)) {
        course_lesson l;
        l.lesson_id = get<std::int64_t>(row, "lesson_id");
        l.module_id = get<std::int64_t>(row, "module_id");
        l.gradable_steps = get<int>(row, "gradable_steps");
        l.vanished = get<bool>(row, "vanished");
        book->lessons.push_back(l);
    }
    for (const auto& row : tx.exec(select_media, c.course_id)) {
        media_part p;
        p.part = get<int>(row, "part");
        p.boom_media = get<std::string>(row, "boom_media");
        p.subscription = get_optional<std::string>(row, "subscription_code");
        book->media[get<std::int64_t>(row, "lesson_id")].push_back(std::move(p));
    }
    for (const auto& row : tx.exec(select_rules, c.course_id)) {
        access_rule r;
        r.scope = parse_rule_scope(get<std::string>(row, "scope"));
        r.scope_id = get<std::int64_t>(row, "scope_id");
        r.kind = parse_rule_kind(get<std::string>(row, "rule"));
        r.days = get_optional<int>(row, "days").value_or(0);
        book->rules.push_back(r);
    }
    for (const auto& row : tx.exec(select_media_since, c.course_id))
        book->media_since.emplace(
            std::pair{get<std::int64_t>(row, "lesson_id"), get<std::string>(row, "subscription_code")},
            get<base::time_point>(row, "since"));

    std::set<std::pair<std::int64_t, std::string>> fresh;
    for (const auto& [lesson_id, parts] : book->media)
        for (const auto& part : parts)
            if (const auto& code = part.subscription ? part.subscription : c.default_subscription)
                if (!book->media_since.contains({lesson_id, *code}))
                    fresh.emplace(lesson_id, *code);
    if (!fresh.empty()) {
        std::vector<std::int64_t> lessons;
        std::vector<std::string> codes;
        for (const auto& [lesson_id, code] : fresh) {
            lessons.push_back(lesson_id);
            codes.push_back(code);
        }
        tx.exec(insert_media_since, c.course_id, lessons, codes);
        for (const auto& row : tx.exec(select_media_since, c.course_id))
            book->media_since.emplace(
                std::pair{get<std::int64_t>(row, "lesson_id"), get<std::string>(row, "subscription_code")},
                get<base::time_point>(row, "since"));
    }
    return book;
}

} // namespace

std::vector<course_row> read_courses(db::transaction& tx)
{
    std::vector<course_row> out;
    for (const auto& row : tx.exec(select_courses)) {
        course_row c;
        c.course_id = get<std::int64_t>(row, "course_id");
        c.connected = get<bool>(row, "connected");
        c.default_subscription = get_optional<std::string>(row, "default_subscription");
        c.ends_at = get_optional<base::time_point>(row, "access_until").value_or(never_ends());
        if (!row["boomstream_api_key_box"].is_null())
            c.api_key_box = db::get_bytes(row, "boomstream_api_key_box");
        c.key_works = get<bool>(row, "key_works");
        c.opens_to_all = get<bool>(row, "opens_to_all");
        c.version = get<std::int64_t>(row, "version");
        out.push_back(std::move(c));
    }
    return out;
}

books_read course_books::get(
    db::transaction& tx, const std::vector<course_row>& courses, const std::set<std::int64_t>& wanted)
{
    books_read out;
    const auto now = std::chrono::steady_clock::now();
    for (const auto& c : courses) {
        if (!wanted.contains(c.course_id))
            continue;
        {
            const std::lock_guard lock(mutex_);
            const auto it = books_.find(c.course_id);
            // The row itself is read each time; a book with another row's values is as old as one of another
            // version.
            if (it != books_.end() && it->second.version == c.version &&
                now - it->second.read_at < longest_kept && it->second.book->connected == c.connected &&
                it->second.book->ends_at == c.ends_at &&
                it->second.book->default_subscription == c.default_subscription)
            {
                out.all.emplace(c.course_id, it->second.book);
                continue;
            }
        }
        auto book = read_book(tx, c);
        out.all.emplace(c.course_id, book);
        out.fresh.push_back({std::move(book), c.version, now});
    }
    return out;
}

void course_books::keep(std::vector<kept_book> fresh)
{
    const std::lock_guard lock(mutex_);
    for (auto& b : fresh) {
        const auto id = b.book->course_id;
        books_[id] = std::move(b);
    }
}

} // namespace coursegate::boomstream_grant
