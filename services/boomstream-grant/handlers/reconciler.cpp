#include "handlers/reconciler.hpp"

#include "coursegate/log/log.hpp"
#include "storage/students.hpp"

#include <algorithm>

namespace coursegate::boomstream_grant {

namespace {

// The first call of a buyer that the plan invents, when everything it needs is at hand.
std::optional<call> first_call_of(const batch& b, const student& s, const new_buyer& n,
    const course_row& course, const base::secret& api_key, const base::keyring& keys)
{
    const auto box = b.code_boxes.find(s.who.user_id);
    if (box == b.code_boxes.end())
        return std::nullopt;
    auto code = open_code(keys, s.who.user_id, box->second);
    if (!code.has_value()) {
        log::error("a student's code can't be read",
            {{"user_id", s.who.user_id}, {"error", code.error().code.message()}});
        return std::nullopt; // claim_calls puts it off, with the reason
    }
    call c;
    c.buyer_id = n.id;
    c.flight = 1;
    c.kind = call_kind::grant;
    c.user_id = s.who.user_id;
    c.course_id = course.course_id;
    c.way = n.way;
    c.replaces = std::any_of(s.grants.begin(), s.grants.end(), [&](const grant& g) {
        return g.subscription == n.subscription && g.state == grant_state::confirmed;
    });
    c.what.api_key = api_key;
    c.what.subscription = n.subscription;
    c.what.media = n.boom_media;
    c.what.email = b.emails.at(s.who.user_id);
    c.what.hash = std::move(*code);
    c.what.ends_at = n.ends_at;
    return c;
}

} // namespace

round reconcile_round(db::transaction& tx, course_books& books, const base::keyring& keys, lane way,
    int students, int permits, bool look_for_calls, std::chrono::milliseconds asked_for)
{
    round out;
    auto b = take_students(tx, books, way, students);
    out.students = static_cast<int>(b.students.size());
    out.more_students = b.full;
    out.some_busy = b.some_busy;

    if (!b.named.empty()) {
        std::map<std::int64_t, const course_book*> all_books;
        for (const auto& [id, book] : b.books.all)
            all_books.emplace(id, book.get());
        std::map<std::int64_t, const course_row*> courses;
        for (const auto& c : b.courses)
            courses.emplace(c.course_id, &c);
        std::map<std::int64_t, base::secret> key_of;

        const std::function<base::uuid()> new_id = base::new_uuid;
        std::vector<plan> plans;
        std::map<base::uuid, first_call> asked;
        for (const auto& s : b.students) {
            auto p = reconcile(s, all_books, b.now, new_id);
            for (const auto& n : p.buyers) {
                if (!n.free || static_cast<int>(out.calls.size()) >= permits)
                    continue;
                const auto& course = *courses.at(n.course_id);
                if (!course.key_works || !course.connected)
                    continue;
                auto key = key_of.find(course.course_id);
                if (key == key_of.end()) {
                    std::string problem;
                    key = key_of.emplace(course.course_id, open_key(keys, course, problem)).first;
                }
                if (key->second.empty())
                    continue;
                auto c = first_call_of(b, s, n, course, key->second, keys);
                if (!c)
                    continue;
                asked.emplace(
                    n.id, first_call{n.id, s.who.code_version, seal_hash(keys, n.id, c->what.hash)});
                out.calls.push_back(std::move(*c));
            }
            plans.push_back(std::move(p));
        }
        auto w = write_plans(tx, b, plans, asked, asked_for);
        out.confirmed = std::move(w.confirmed);
        out.books = std::move(b.books.fresh);
        out.fresh_calls_wait = w.fresh_calls_wait;
        look_for_calls = look_for_calls || w.calls_wait;
    }

    const int left = permits - static_cast<int>(out.calls.size());
    if (look_for_calls && left > 0) {
        auto more =
            claim_calls(tx, keys, b.courses.empty() ? read_courses(tx) : b.courses, way, left, asked_for);
        out.more_calls = more.more;
        for (auto& c : more.calls)
            out.calls.push_back(std::move(c));
    }
    else
        out.more_calls = look_for_calls;
    return out;
}

} // namespace coursegate::boomstream_grant
