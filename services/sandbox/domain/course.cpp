#include "domain/course.hpp"

#include "domain/text.hpp"

#include <algorithm>
#include <stdexcept>

namespace coursegate::sandbox {

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "sandbox.course"; }
    std::string message(int code) const override
    {
        switch (static_cast<course_errc>(code)) {
        case course_errc::unknown_section:
            return "no such section in the course";
        case course_errc::unknown_lesson:
            return "no such lesson in the course";
        case course_errc::unknown_position:
            return "no such position there";
        }
        return "unknown error";
    }
};

std::int64_t integer(std::string_view text, std::string_view line)
{
    const auto value = to_integer(text);
    if (!value)
        throw std::invalid_argument("course data: a number is expected in: " + std::string(line));
    return *value;
}

void number_positions(lesson& l)
{
    for (std::size_t i = 0; i < l.steps.size(); ++i)
        l.steps[i].position = static_cast<int>(i) + 1;
}

} // namespace

const std::error_category& course_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(course_errc e) noexcept
{
    return {static_cast<int>(e), course_category()};
}

int lesson::slots() const
{
    return static_cast<int>(std::ranges::count_if(steps, [](const step& s) { return s.slot >= 0; }));
}

course course::parse(std::string_view text)
{
    course out;
    for (const auto line : split(text, '\n')) {
        if (line.empty() || line.front() == '#')
            continue;
        const auto cells = split(line, '\t');
        const auto want = [&](std::size_t count) {
            if (cells.size() != count)
                throw std::invalid_argument("course data: " + std::string(line));
        };
        if (cells[0] == "course") {
            want(5);
            out.id = integer(cells[1], line);
            out.owner = integer(cells[2], line);
            out.learners_group = integer(cells[3], line);
            out.title = cells[4];
        }
        else if (cells[0] == "section") {
            want(3);
            out.sections_.push_back({integer(cells[1], line), std::string(cells[2]), {}});
        }
        else if (cells[0] == "lesson" && !out.sections_.empty()) {
            want(4);
            out.sections_.back().lessons.push_back(
                {integer(cells[1], line), integer(cells[2], line), std::string(cells[3]), {}});
        }
        else if (cells[0] == "step" && !out.sections_.empty() && !out.sections_.back().lessons.empty()) {
            want(6);
            step s;
            s.id = integer(cells[1], line);
            s.position = static_cast<int>(integer(cells[2], line));
            s.block = cells[3];
            s.worth = static_cast<int>(integer(cells[4], line));
            s.review = cells[5].find('r') != std::string_view::npos;
            s.giving_finished = cells[5].find('g') != std::string_view::npos;
            s.integer_zero = cells[5].find('i') != std::string_view::npos;
            if (!s.is_theory())
                s.slot = out.slots_++;
            out.sections_.back().lessons.back().steps.push_back(std::move(s));
        }
        else {
            throw std::invalid_argument("course data: " + std::string(line));
        }
    }
    return out;
}

course course::clone(
    std::int64_t new_id, std::int64_t offset, std::int64_t new_learners_group, bool same_lessons) const
{
    course out = *this;
    out.id = new_id;
    out.learners_group = new_learners_group;
    out.revision_ = 1;
    for (auto& s : out.sections_) {
        s.id += offset;
        for (auto& l : s.lessons) {
            l.unit += offset;
            if (same_lessons)
                continue;
            l.id += offset;
            for (auto& st : l.steps)
                st.id += offset;
        }
    }
    return out;
}

section* course::find_section(std::int64_t section_id)
{
    const auto at = std::ranges::find(sections_, section_id, &section::id);
    return at == sections_.end() ? nullptr : &*at;
}

lesson* course::find(std::int64_t lesson_id)
{
    for (auto& s : sections_)
        for (auto& l : s.lessons)
            if (l.id == lesson_id)
                return &l;
    return nullptr;
}

const lesson* course::find_lesson(std::int64_t lesson_id) const
{
    return const_cast<course*>(this)->find(lesson_id);
}

course::place course::find_step(std::int64_t step_id) const
{
    for (const auto& s : sections_)
        for (const auto& l : s.lessons)
            for (const auto& st : l.steps)
                if (st.id == step_id)
                    return {&l, &st};
    return {};
}

base::result<std::int64_t> course::insert_step(
    id_source& ids, std::int64_t lesson_id, int position, std::string block, bool in_grades)
{
    auto* const l = find(lesson_id);
    if (l == nullptr)
        return base::fail(course_errc::unknown_lesson, "lesson " + std::to_string(lesson_id));
    if (position < 1 || position > static_cast<int>(l->steps.size()) + 1)
        return base::fail(course_errc::unknown_position, "position " + std::to_string(position));
    step s;
    s.id = ids.next();
    s.block = std::move(block);
    if (!s.is_theory()) {
        s.worth = 1;
        if (in_grades)
            s.slot = slots_++;
    }
    const auto id_given = s.id;
    l->steps.insert(l->steps.begin() + (position - 1), std::move(s));
    number_positions(*l);
    ++revision_;
    return id_given;
}

base::result<std::int64_t> course::add_lesson(
    id_source& ids, std::int64_t section_id, int position, std::string lesson_title, int steps)
{
    auto* const to = find_section(section_id);
    if (to == nullptr)
        return base::fail(course_errc::unknown_section, "section " + std::to_string(section_id));
    if (position < 1 || position > static_cast<int>(to->lessons.size()) + 1)
        return base::fail(course_errc::unknown_position, "position " + std::to_string(position));
    lesson l;
    l.id = ids.next();
    l.unit = ids.next();
    l.title = std::move(lesson_title);
    for (int i = 0; i < std::max(steps, 1); ++i) {
        step s;
        s.id = ids.next();
        s.block = steps == 0 ? "text" : "choice";
        if (steps != 0) {
            s.worth = 1;
            s.slot = slots_++;
        }
        l.steps.push_back(std::move(s));
    }
    number_positions(l);
    const auto id_given = l.id;
    to->lessons.insert(to->lessons.begin() + (position - 1), std::move(l));
    ++revision_;
    return id_given;
}

base::result<void> course::move_lesson(std::int64_t lesson_id, std::int64_t section_id, int position)
{
    auto* const to = find_section(section_id);
    if (to == nullptr)
        return base::fail(course_errc::unknown_section, "section " + std::to_string(section_id));
    if (find(lesson_id) == nullptr)
        return base::fail(course_errc::unknown_lesson, "lesson " + std::to_string(lesson_id));
    const bool is_there =
        std::ranges::any_of(to->lessons, [&](const lesson& l) { return l.id == lesson_id; });
    if (position < 1 || position > static_cast<int>(to->lessons.size()) + (is_there ? 0 : 1))
        return base::fail(course_errc::unknown_position, "position " + std::to_string(position));
    for (auto& from : sections_) {
        const auto at = std::ranges::find(from.lessons, lesson_id, &lesson::id);
        if (at == from.lessons.end())
            continue;
        lesson l = std::move(*at);
        from.lessons.erase(at);
        to->lessons.insert(to->lessons.begin() + (position - 1), std::move(l));
        break;
    }
    ++revision_;
    return {};
}

base::result<void> course::remove_lesson(std::int64_t lesson_id)
{
    for (auto& s : sections_) {
        if (std::erase_if(s.lessons, [&](const lesson& l) { return l.id == lesson_id; }) != 0) {
            ++revision_;
            return {};
        }
    }
    return base::fail(course_errc::unknown_lesson, "lesson " + std::to_string(lesson_id));
}

} // namespace coursegate::sandbox
