#include "domain/gradebook.hpp"

#include "domain/text.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <stdexcept>

namespace coursegate::sandbox {

namespace {

class category final : public std::error_category
{
public:
    const char* name() const noexcept override { return "sandbox.grades"; }
    std::string message(int code) const override
    {
        switch (static_cast<grade_errc>(code)) {
        case grade_errc::unknown_student:
            return "not enrolled in this course";
        case grade_errc::unknown_lesson:
            return "no such lesson in the course";
        case grade_errc::unknown_step:
            return "no such step in the course";
        case grade_errc::nothing_to_pass:
            return "nothing there ever appears in grades";
        }
        return "unknown error";
    }
};

constexpr std::int64_t first_row_id = 34'000'000;    // the recorded row has 33000001, its own
constexpr std::int64_t first_member_id = 72'000'000; // likewise 71000001

base::error no_student(std::int64_t user)
{
    return base::fail(grade_errc::unknown_student, "user " + std::to_string(user));
}

base::time_point whole_milliseconds(base::time_point t)
{
    return std::chrono::floor<std::chrono::milliseconds>(t);
}

// "2025-12-01T10:11:12.188Z", or without a fraction where there is none: Stepik shows both.
void append_time(std::string& out, base::time_point t)
{
    const auto text = base::to_iso8601(t); // six digits of fraction
    const bool whole = (t.time_since_epoch() % std::chrono::seconds(1)).count() == 0;
    out += '"';
    out.append(text, 0, whole ? 19 : 23);
    out += "Z\"";
}

std::string lower(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(
        out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

base::time_point parse_time(std::string_view text)
{
    const auto t = base::parse_iso8601(text);
    if (!t)
        throw std::invalid_argument("recorded row: a time is expected: " + std::string(text));
    return *t;
}

} // namespace

const std::error_category& grade_category() noexcept
{
    static const category instance;
    return instance;
}

std::error_code make_error_code(grade_errc e) noexcept
{
    return {static_cast<int>(e), grade_category()};
}

std::string gradebook::print(const piece& p, bool is_passed, int first_success, int total)
{
    std::string out = p.key;
    out += is_passed ? "true" : "false";
    out += ",\"first_success\":";
    if (first_success == 0)
        out += "null";
    else
        append(out, first_success);
    out += ",\"total_submissions\":";
    append(out, total);
    out += ",\"score\":";
    // A reviewed step is worth nothing by itself, passed or not: is_passed true with score 0.0 is recorded.
    append(out, is_passed && !p.review ? p.worth : 0);
    if (is_passed || !p.integer_zero)
        out += ".0";
    if (p.review) {
        out += is_passed ? ",\"is_review_started\":true,\"is_review_taking_finished\":true"
                         : ",\"is_review_started\":false,\"is_review_taking_finished\":false";
        out += p.giving_finished ? ",\"is_review_giving_finished\":true"
                                 : ",\"is_review_giving_finished\":false";
    }
    out += '}';
    return out;
}

void gradebook::lay_out() const
{
    if (laid_out_ == course_.revision())
        return;
    blocks_.clear();
    for (const auto& s : course_.sections()) {
        std::vector<const lesson*> lessons;
        for (const auto& l : s.lessons)
            if (l.slots() > 0)
                lessons.push_back(&l);
        std::ranges::sort(lessons, {}, [](const lesson* l) { return l->id; });
        for (const auto* l : lessons) {
            std::vector<const step*> steps;
            for (const auto& st : l->steps)
                if (st.slot >= 0)
                    steps.push_back(&st);
            std::ranges::sort(steps, {}, [](const step* st) { return st->id; });
            block b;
            for (const auto* st : steps) {
                piece p;
                p.slot = st->slot;
                p.worth = st->worth;
                p.review = st->review;
                p.giving_finished = st->giving_finished;
                p.integer_zero = st->integer_zero;
                p.key = "\"" + std::to_string(l->id) + "-" + std::to_string(st->position) +
                        "\":{\"step_id\":" + std::to_string(st->id) + ",\"is_passed\":";
                p.passed = print(p, true, 1, 1);
                p.untouched = print(p, false, 0, 0);
                if (!b.pieces.empty()) {
                    b.all_passed += ',';
                    b.untouched += ',';
                }
                b.all_passed += p.passed;
                b.untouched += p.untouched;
                b.pieces.push_back(std::move(p));
            }
            blocks_.push_back(std::move(b));
        }
    }
    laid_out_ = course_.revision();
}

enrolment& gradebook::enrol(const person& p, const enrol_options& o)
{
    if (const auto at = by_user_.find(p.id); at != by_user_.end())
        return enrolments_[at->second];
    const auto row = enrolments_.size();
    enrolment e;
    e.row_id = first_row_id + static_cast<std::int64_t>(row);
    e.member_id = first_member_id + static_cast<std::int64_t>(row);
    e.person = &p;
    e.klass = o.klass;
    e.is_teacher = o.is_teacher;
    e.joined_at = whole_milliseconds(o.joined_at);
    if (o.viewed_at)
        e.viewed_at = whole_milliseconds(*o.viewed_at);
    enrolments_.push_back(std::move(e));
    by_user_.emplace(p.id, row);
    ++changes_;

    int lessons = 0;
    for (const auto& s : course_.sections()) {
        for (const auto& l : s.lessons) {
            if (l.slots() == 0 || lessons >= o.passed_lessons)
                continue;
            ++lessons;
            for (const auto& st : l.steps) {
                if (st.slot < 0)
                    continue;
                enrolments_[row].passed.set(st.slot);
                show(row, st.slot, st.review ? 0 : st.worth);
            }
        }
    }
    if (lessons > 0 && !enrolments_[row].viewed_at)
        enrolments_[row].viewed_at = whole_milliseconds(o.joined_at);
    return enrolments_[row];
}

void gradebook::enrol_recorded(const person& p, std::string_view text)
{
    std::optional<std::size_t> row;
    for (const auto line : split(text, '\n')) {
        if (line.empty() || line.front() == '#')
            continue;
        const auto cells = split(line, '\t');
        const auto number = [&](std::size_t i) {
            const auto value = i < cells.size() ? to_integer(cells[i]) : std::nullopt;
            if (!value)
                throw std::invalid_argument("recorded row: " + std::string(line));
            return *value;
        };
        if (cells[0] == "row" && cells.size() == 8) {
            enrol_options o;
            o.is_teacher = true;
            o.joined_at = parse_time(cells[4]);
            o.viewed_at = parse_time(cells[5]);
            auto& e = enrol(p, o);
            e.row_id = number(1);
            e.member_id = number(3);
            row = by_user_.at(p.id);
            continue;
        }
        const auto place = course_.find_step(number(1));
        if (!row || place.step == nullptr)
            throw std::invalid_argument("recorded row: " + std::string(line));
        auto& e = enrolments_[*row];
        if (cells[0] == "passed") {
            if (cells.size() == 4)
                attempt_of(e, place.step->slot) = {
                    place.step->slot, static_cast<int>(number(2)), static_cast<int>(number(3))};
            e.passed.set(place.step->slot);
            show(*row, place.step->slot, place.step->review ? 0 : place.step->worth);
        }
        else if (cells[0] == "tried") {
            attempt_of(e, place.step->slot).total = static_cast<int>(number(2));
        }
        else {
            throw std::invalid_argument("recorded row: " + std::string(line));
        }
    }
}

const enrolment* gradebook::find(std::int64_t user) const
{
    const auto at = by_user_.find(user);
    return at == by_user_.end() ? nullptr : &enrolments_[at->second];
}

base::result<std::size_t> gradebook::row_of(std::int64_t user) const
{
    const auto at = by_user_.find(user);
    if (at == by_user_.end())
        return no_student(user);
    return at->second;
}

attempt& gradebook::attempt_of(enrolment& e, int slot)
{
    const auto at = std::ranges::lower_bound(e.attempts, slot, {}, &attempt::slot);
    if (at != e.attempts.end() && at->slot == slot)
        return *at;
    return *e.attempts.insert(at, attempt{slot, 0, 0});
}

void gradebook::show(std::size_t row, int slot, int worth)
{
    auto& e = enrolments_[row];
    if (e.shown.test(slot))
        return;
    e.shown.set(slot);
    e.score += worth;
    if (passed_by_.size() <= static_cast<std::size_t>(slot))
        passed_by_.resize(static_cast<std::size_t>(std::max(course_.slots(), slot + 1)));
    ++passed_by_[static_cast<std::size_t>(slot)];
    ++changes_;
}

gradebook::passed gradebook::pass(std::size_t row, const std::vector<const step*>& steps,
    base::time_point now, base::duration staleness, int tries)
{
    auto& e = enrolments_[row];
    passed out;
    for (const auto* s : steps) {
        if (e.passed.test(s->slot))
            continue;
        e.passed.set(s->slot);
        ++out.steps;
        const auto known = std::ranges::lower_bound(e.attempts, s->slot, {}, &attempt::slot);
        const bool tried = known != e.attempts.end() && known->slot == s->slot;
        if (tries > 1 || tried) {
            auto& a = attempt_of(e, s->slot);
            a.total += tries;
            a.first_success = a.total;
        }
        const int worth = s->review ? 0 : s->worth;
        if (staleness.count() <= 0)
            show(row, s->slot, worth);
        else
            pending_.emplace(now + staleness, pending{row, s->slot, worth});
    }
    e.viewed_at = whole_milliseconds(now);
    ++changes_;
    if (out.steps == 0)
        return out;
    for (const auto& section : course_.sections()) {
        for (const auto& l : section.lessons) {
            const bool touched = std::ranges::any_of(steps,
                [&](const step* s) { return s >= l.steps.data() && s < l.steps.data() + l.steps.size(); });
            const auto p = touched ? lesson_progress(e, l) : progress{};
            if (!touched || p.passed < p.total)
                continue;
            out.lessons.push_back(l.id);
            e.unserved.push_back(passes_.size());
            passes_.push_back({e.person->id, l.id, now, now + std::max(staleness, base::duration{}), {}});
        }
    }
    return out;
}

base::result<gradebook::passed> gradebook::pass_lesson(
    std::int64_t user, std::int64_t lesson_id, base::time_point now, base::duration staleness, int tries)
{
    const auto row = row_of(user);
    if (!row)
        return row.error();
    const auto* const l = course_.find_lesson(lesson_id);
    if (l == nullptr)
        return base::fail(grade_errc::unknown_lesson, "lesson " + std::to_string(lesson_id));
    std::vector<const step*> steps;
    for (const auto& s : l->steps)
        if (s.slot >= 0)
            steps.push_back(&s);
    if (steps.empty())
        return base::fail(
            grade_errc::nothing_to_pass, "lesson " + std::to_string(lesson_id) + " has no gradable step");
    return pass(*row, steps, now, staleness, tries);
}

base::result<gradebook::passed> gradebook::pass_step(
    std::int64_t user, std::int64_t step_id, base::time_point now, base::duration staleness, int tries)
{
    const auto row = row_of(user);
    if (!row)
        return row.error();
    const auto place = course_.find_step(step_id);
    if (place.step == nullptr)
        return base::fail(grade_errc::unknown_step, "step " + std::to_string(step_id));
    if (place.step->slot < 0)
        return base::fail(
            grade_errc::nothing_to_pass, "step " + std::to_string(step_id) + " is not gradable");
    const std::vector<const step*> steps{place.step};
    return pass(*row, steps, now, staleness, tries);
}

base::result<void> gradebook::view(std::int64_t user, base::time_point now)
{
    const auto row = row_of(user);
    if (!row)
        return row.error();
    enrolments_[*row].viewed_at = whole_milliseconds(now);
    ++changes_;
    return {};
}

base::result<void> gradebook::fail_step(std::int64_t user, std::int64_t step_id, base::time_point now)
{
    const auto row = row_of(user);
    if (!row)
        return row.error();
    const auto place = course_.find_step(step_id);
    if (place.step == nullptr)
        return base::fail(grade_errc::unknown_step, "step " + std::to_string(step_id));
    if (place.step->slot < 0)
        return base::fail(
            grade_errc::nothing_to_pass, "step " + std::to_string(step_id) + " is not gradable");
    auto& e = enrolments_[*row];
    const bool was_passed = e.passed.test(place.step->slot);
    auto& a = attempt_of(e, place.step->slot);
    if (was_passed && a.total == 0)
        a = {place.step->slot, 1, 1};
    ++a.total;
    e.viewed_at = whole_milliseconds(now);
    ++changes_;
    return {};
}

void gradebook::catch_up(base::time_point now)
{
    while (!pending_.empty() && pending_.begin()->first <= now) {
        const auto p = pending_.begin()->second;
        pending_.erase(pending_.begin());
        show(p.row, p.slot, p.worth);
    }
}

bool gradebook::refresh(std::int64_t row_id, base::time_point now)
{
    const auto at = std::ranges::find(enrolments_, row_id, &enrolment::row_id);
    if (at == enrolments_.end())
        return false;
    const auto row = static_cast<std::size_t>(at - enrolments_.begin());
    for (auto p = pending_.begin(); p != pending_.end();) {
        if (p->second.row == row) {
            show(row, p->second.slot, p->second.worth);
            p = pending_.erase(p);
        }
        else {
            ++p;
        }
    }
    for (const auto i : at->unserved)
        passes_[i].visible_at = std::min(passes_[i].visible_at, now);
    return true;
}

grade_page gradebook::select(const grade_query& q) const
{
    std::string filter = std::to_string(q.user.value_or(0)) + "|" + std::to_string(q.klass.value_or(0)) +
                         "|" + (q.is_teacher ? (*q.is_teacher ? "1" : "0") : "-") + "|" + q.order + "|" +
                         q.search;
    if (filter != selected_for_ || selected_at_ != changes_) {
        selected_.clear();
        const auto needle = lower(q.search);
        const auto fits = [&](const enrolment& e) {
            if (q.klass && e.klass != *q.klass)
                return false;
            if (q.is_teacher && e.is_teacher != *q.is_teacher)
                return false;
            return needle.empty() || std::to_string(e.person->id) == needle ||
                   lower(e.person->first_name + " " + e.person->last_name).find(needle) !=
                       std::string::npos ||
                   lower(e.person->email).find(needle) != std::string::npos;
        };
        if (q.user) {
            const auto at = by_user_.find(*q.user);
            if (at != by_user_.end() && fits(enrolments_[at->second]))
                selected_.push_back(at->second);
        }
        else {
            for (std::size_t i = 0; i < enrolments_.size(); ++i)
                if (fits(enrolments_[i]))
                    selected_.push_back(i);
        }
        // Keys apply from the last to the first, each stable. Without one: by id, as rows were made.
        auto keys = split(q.order, ',');
        for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
            const bool down = key->starts_with('-');
            const auto name = down ? key->substr(1) : *key;
            const auto by = [&](auto value) {
                std::ranges::stable_sort(selected_, [&](std::size_t a, std::size_t b) {
                    return down ? value(enrolments_[b]) < value(enrolments_[a])
                                : value(enrolments_[a]) < value(enrolments_[b]);
                });
            };
            if (name == "id")
                by([](const enrolment& e) { return e.row_id; });
            else if (name == "score")
                by([](const enrolment& e) { return e.score; });
            else if (name == "last_viewed")
                by([](const enrolment& e) { return e.viewed_at.value_or(base::time_point{}); });
        }
        selected_for_ = std::move(filter);
        selected_at_ = changes_;
    }
    grade_page out;
    const auto first = (static_cast<std::size_t>(q.page) - 1) * static_cast<std::size_t>(q.page_size);
    const auto last = std::min(first + static_cast<std::size_t>(q.page_size), selected_.size());
    for (std::size_t i = first; i < last; ++i)
        out.rows.push_back(selected_[i]);
    out.has_next = last < selected_.size() && first < selected_.size();
    out.has_previous = q.page > 1;
    return out;
}

void gradebook::append_row(
    std::string& out, std::size_t row, base::time_point now, std::vector<std::size_t>& served) const
{
    lay_out();
    const auto& e = enrolments_[row];
    out += "{\"id\":";
    append(out, e.row_id);
    out += ",\"course\":";
    append(out, course_.id);
    out += ",\"user\":";
    append(out, e.person->id);
    out += ",\"results\":{";
    if (e.viewed_at) {
        bool first = true;
        for (const auto& b : blocks_) {
            if (!first)
                out += ',';
            first = false;
            if (e.attempts.empty()) {
                std::size_t passed_here = 0;
                for (const auto& p : b.pieces)
                    passed_here += e.shown.test(p.slot) ? 1 : 0;
                if (passed_here == 0 || passed_here == b.pieces.size()) {
                    out += passed_here == 0 ? b.untouched : b.all_passed;
                    continue;
                }
            }
            bool first_piece = true;
            for (const auto& p : b.pieces) {
                if (!first_piece)
                    out += ',';
                first_piece = false;
                const bool is_passed = e.shown.test(p.slot);
                const auto tried = std::ranges::lower_bound(e.attempts, p.slot, {}, &attempt::slot);
                if (tried == e.attempts.end() || tried->slot != p.slot)
                    out += is_passed ? p.passed : p.untouched;
                else if (is_passed)
                    out += print(p, true, tried->first_success, tried->total);
                else // not shown as passed yet: the successful try is not counted either
                    out += print(
                        p, false, 0, tried->first_success != 0 ? tried->first_success - 1 : tried->total);
            }
        }
    }
    out += "},\"score\":";
    append(out, e.score);
    out += ".0,\"rank\":null,\"rank_max\":null,\"rank_position\":null,\"users_count\":null,\"is_teacher\":";
    out += e.is_teacher ? "true" : "false";
    out += ",\"date_joined\":";
    append_time(out, e.joined_at);
    out += ",\"last_viewed\":";
    if (!e.viewed_at)
        out += "null";
    else // one student in five has whole seconds, as some recorded rows do
        append_time(out,
            e.person->id % 5 == 0 ? std::chrono::floor<std::chrono::seconds>(*e.viewed_at) : *e.viewed_at);
    out += ",\"certificate_issue_date\":null,\"certificate_issue_regular_date\":null,"
           "\"certificate_issue_distinction_date\":null,\"certificate_update_date\":null,\"certificate_url\":"
           "null}";
    for (const auto i : e.unserved)
        if (passes_[i].visible_at <= now)
            served.push_back(i);
}

void gradebook::mark_served(const std::vector<std::size_t>& served, base::time_point now)
{
    for (const auto i : served) {
        auto& record = passes_[i];
        if (record.served_at)
            continue;
        record.served_at = now;
        std::erase(enrolments_[by_user_.at(record.user)].unserved, i);
    }
}

gradebook::progress gradebook::lesson_progress(const enrolment& e, const lesson& l) const
{
    progress out;
    for (const auto& s : l.steps) {
        if (s.slot < 0)
            continue;
        ++out.total;
        out.passed += e.passed.test(s.slot) ? 1 : 0;
    }
    return out;
}

int gradebook::passed_by(const step& s) const
{
    const auto slot = static_cast<std::size_t>(s.slot);
    return s.slot >= 0 && slot < passed_by_.size() ? passed_by_[slot] : 0;
}

} // namespace coursegate::sandbox
