#include "handlers/structure_reading.hpp"

#include <map>

namespace coursegate::stepik_sync {

namespace {

template <class T>
std::map<std::int64_t, const T*> by_id(const std::vector<T>& items)
{
    std::map<std::int64_t, const T*> out;
    for (const auto& item : items)
        out[item.id] = &item;
    return out;
}

} // namespace

async::task<base::result<structure_facts>> read_structure(
    stepik_client& stepik, const application& app, const course_answer& course)
{
    structure_facts out;
    out.learners_count = course.learners_count;
    out.mark = course.mark;
    auto& modules = out.reading.read.modules;
    auto& lessons = out.reading.read.lessons;

    const auto sections = co_await stepik.sections(app, course.sections);
    if (!sections.has_value())
        co_return sections.error();
    out.reading.skipped_modules = sections->missing;
    const auto sections_by_id = by_id(sections->items);
    std::vector<std::int64_t> unit_ids;
    int nth = 0;
    for (const auto id : course.sections) {
        ++nth;
        const auto found = sections_by_id.find(id);
        if (found == sections_by_id.end())
            continue;
        const section_answer& section = *found->second;
        modules.push_back({id, section.position.value_or(nth), section.title});
        unit_ids.insert(unit_ids.end(), section.units.begin(), section.units.end());
    }

    const auto units = co_await stepik.units(app, unit_ids);
    if (!units.has_value())
        co_return units.error();
    out.reading.units_incomplete = !units->missing.empty();
    const auto units_by_id = by_id(units->items);
    std::vector<std::int64_t> lesson_ids;
    std::set<std::int64_t> placed;
    for (const auto id : course.sections) {
        const auto section = sections_by_id.find(id);
        if (section == sections_by_id.end())
            continue;
        int place = 0;
        for (const auto unit_id : section->second->units) {
            ++place;
            const auto unit = units_by_id.find(unit_id);
            // A lesson that stands in the course twice keeps its first place.
            if (unit == units_by_id.end() || unit->second->lesson == 0 ||
                !placed.insert(unit->second->lesson).second)
                continue;
            course_lesson l;
            l.id = unit->second->lesson;
            l.module_id = id;
            l.position = unit->second->position.value_or(place);
            lessons.push_back(std::move(l));
            lesson_ids.push_back(unit->second->lesson);
        }
    }

    const auto details = co_await stepik.lessons(app, lesson_ids);
    if (!details.has_value())
        co_return details.error();
    const auto lessons_by_id = by_id(details->items);
    std::vector<std::int64_t> step_ids;
    std::set<std::int64_t> taken;
    for (auto& l : lessons) {
        const auto found = lessons_by_id.find(l.id);
        if (found == lessons_by_id.end()) {
            l.opaque = true;
            continue;
        }
        const lesson_answer& answer = *found->second;
        l.title = answer.title;
        l.opaque = answer.steps.empty() && !answer.is_blank;
        int place = 0;
        for (const auto step_id : answer.steps) {
            ++place;
            if (!taken.insert(step_id).second)
                continue;
            course_step s;
            s.id = step_id;
            s.position = place;
            l.steps.push_back(std::move(s));
            step_ids.push_back(step_id);
        }
    }

    const auto steps = co_await stepik.steps(app, step_ids);
    if (!steps.has_value())
        co_return steps.error();
    const auto steps_by_id = by_id(steps->items);
    for (auto& l : lessons)
        for (auto& s : l.steps)
            if (const auto found = steps_by_id.find(s.id); found != steps_by_id.end()) {
                s.position = found->second->position.value_or(s.position);
                s.block = found->second->block;
            }
    co_return out;
}

} // namespace coursegate::stepik_sync
