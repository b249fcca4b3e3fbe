#include "domain/media_map.hpp"

#include <algorithm>
#include <set>

namespace coursegate::web_gateway {
namespace {

using place = std::pair<std::int64_t, int>; // lesson, part

std::string words(const place& p)
{
    return "lesson " + std::to_string(p.first) + ", part " + std::to_string(p.second);
}

std::optional<std::string> effective(const media_world& world, const media_part& m)
{
    return m.subscription_code ? m.subscription_code : world.default_subscription;
}

bool is_single(const media_world& world, const std::string& code)
{
    const auto kind = world.kinds.find(code);
    return kind != world.kinds.end() && kind->second == "single";
}

} // namespace

std::string_view to_string(media_outcome o)
{
    switch (o) {
    case media_outcome::added:
        return "added";
    case media_outcome::changed:
        return "changed";
    case media_outcome::unchanged:
        return "unchanged";
    case media_outcome::refused:
        return "refused";
    }
    return "refused";
}

std::optional<std::size_t> media_plan::first_refused() const
{
    const auto found = std::find_if(
        rows.begin(), rows.end(), [](const auto& r) { return r.outcome == media_outcome::refused; });
    if (found == rows.end())
        return std::nullopt;
    return static_cast<std::size_t>(found - rows.begin());
}

media_plan plan_media(const media_world& world, const std::vector<media_part>& rows,
    std::optional<std::int64_t> whole_lesson, bool whole_course)
{
    std::map<std::int64_t, const lesson*> lessons;
    for (const auto& l : world.structure)
        lessons.emplace(l.id, &l);

    std::set<place> named;
    for (const auto& r : rows)
        named.emplace(r.lesson_id, r.part);

    // What stays: the map that the rows are checked against grows by each accepted row, so that two rows of
    // one request can exchange their videos but never share one.
    std::map<place, media_part> before;
    std::map<place, media_part> after;
    std::map<std::string, place> where;                    // video -> place
    std::map<std::string, std::set<std::int64_t>> holders; // single subscription -> lessons
    const auto take_in = [&](const media_part& m) {
        const place p{m.lesson_id, m.part};
        after.emplace(p, m);
        where.emplace(m.boom_media, p);
        if (const auto code = effective(world, m); code && is_single(world, *code))
            holders[*code].insert(m.lesson_id);
    };
    for (const auto& m : world.existing) {
        before.emplace(place{m.lesson_id, m.part}, m);
        const bool replaced =
            whole_course || named.contains({m.lesson_id, m.part}) || whole_lesson == m.lesson_id;
        if (!replaced)
            take_in(m);
    }

    media_plan plan;
    const auto refuse = [](refusal kind, std::string_view s, std::string message, std::string field) {
        media_row_plan out;
        out.outcome = media_outcome::refused;
        out.reason.emplace(kind, s, std::move(message), std::move(field));
        return out;
    };
    for (const auto& r : rows) {
        const place p{r.lesson_id, r.part};
        const auto known = lessons.find(r.lesson_id);
        const auto stays = before.find(p);
        // A whole map names what is there as well: a lesson that is gone keeps what it has.
        if (whole_course && stays != before.end() && stays->second == r && !after.contains(p) &&
            !where.contains(r.boom_media) && (known == lessons.end() || known->second->vanished))
        {
            take_in(r);
            plan.rows.emplace_back();
            continue;
        }
        if (known == lessons.end()) {
            plan.rows.push_back(refuse(refusal::not_found, slug::lesson_not_found,
                "The course has no lesson " + std::to_string(r.lesson_id) + ".", "lesson_id"));
            continue;
        }
        if (known->second->vanished) {
            plan.rows.push_back(refuse(refusal::not_found, slug::lesson_not_found,
                "Lesson " + std::to_string(r.lesson_id) + " is no longer in the course on Stepik.",
                "lesson_id"));
            continue;
        }
        if (after.contains(p)) {
            plan.rows.push_back(refuse(refusal::conflict, slug::duplicate,
                "Part " + std::to_string(r.part) + " of lesson " + std::to_string(r.lesson_id) +
                    " is given twice.",
                "part"));
            continue;
        }
        if (const auto taken = where.find(r.boom_media); taken != where.end()) {
            plan.rows.push_back(refuse(refusal::conflict, slug::duplicate,
                "Video " + r.boom_media + " is already attached to " + words(taken->second) + ".",
                "boom_media"));
            continue;
        }
        if (const auto code = effective(world, r); code && is_single(world, *code)) {
            auto& holding = holders[*code];
            if (!holding.empty() && !holding.contains(r.lesson_id)) {
                plan.rows.push_back(refuse(refusal::conflict, slug::single_subscription,
                    "Subscription " + *code + " is marked as single and already holds lesson " +
                        std::to_string(*holding.begin()) + ".",
                    "subscription_code"));
                continue;
            }
        }
        take_in(r);
        media_row_plan row;
        if (const auto old = before.find(p); old == before.end())
            row.outcome = media_outcome::added;
        else
            row.outcome = old->second == r ? media_outcome::unchanged : media_outcome::changed;
        plan.rows.push_back(std::move(row));
    }

    std::set<std::int64_t> changed;
    for (const auto& [p, m] : before) {
        const auto now = after.find(p);
        if (now != after.end() && now->second == m)
            continue;
        plan.to_remove.push_back(m);
        changed.insert(m.lesson_id);
    }
    for (const auto& [p, m] : after) {
        const auto then = before.find(p);
        if (then != before.end() && then->second == m)
            continue;
        plan.to_write.push_back(m);
        changed.insert(m.lesson_id);
    }
    plan.changed_lessons.assign(changed.begin(), changed.end());
    return plan;
}

std::vector<subscription_use> subscription_uses(const media_world& world)
{
    std::map<std::string, subscription_use> uses;
    std::map<std::string, std::set<std::int64_t>> lessons;
    for (const auto& [code, kind] : world.kinds)
        uses[code].kind = kind;
    if (world.default_subscription)
        uses[*world.default_subscription].is_default = true;
    for (const auto& m : world.existing) {
        const auto code = effective(world, m);
        if (!code)
            continue;
        ++uses[*code].videos;
        lessons[*code].insert(m.lesson_id);
    }

    std::vector<subscription_use> out;
    for (auto& [code, use] : uses) {
        use.code = code;
        if (use.kind.empty())
            use.kind = "group";
        use.lessons.assign(lessons[code].begin(), lessons[code].end());
        const auto count = static_cast<int>(use.lessons.size());
        if (count == 0)
            use.sentence = "No lesson uses this subscription.";
        else if (use.kind == "group" && count > 1) {
            use.exposed_lessons = count;
            use.sentence =
                "At Boomstream the code of a student who passed any one of these " + std::to_string(count) +
                " lessons opens the videos of all of them; only our own player keeps the others closed. A "
                "lock per lesson needs one subscription per lesson.";
        }
        else if (use.kind == "group")
            use.sentence = "One lesson: its code opens nothing else.";
        else if (count > 1)
            use.sentence =
                "Marked as single, but " + std::to_string(count) +
                " lessons fall into it: Boomstream opens only the video that was named first. Give each "
                "lesson its own subscription.";
        else if (use.videos > 1)
            use.sentence = "A single subscription opens one video at Boomstream, and the lesson has " +
                           std::to_string(use.videos) + " parts: use a subscription of type group for it.";
        else
            use.sentence = "One lesson, one lock.";
        out.push_back(std::move(use));
    }
    return out;
}

} // namespace coursegate::web_gateway
