#include "domain/structure.hpp"

#include <algorithm>
#include <tuple>

namespace coursegate::stepik_sync {

bool is_theory(std::string_view block)
{
    return block == "text" || block == "video";
}

int course_lesson::gradable_steps() const
{
    if (opaque && steps.empty())
        return 1;
    return static_cast<int>(
        std::count_if(steps.begin(), steps.end(), [](const course_step& s) { return s.gradable; }));
}

structure_change difference(const known_structure& known, const structure_reading& reading,
    const std::set<std::int64_t>& seen_in_grades)
{
    structure_change out;
    out.now = reading.read;

    std::map<std::int64_t, const known_lesson*> lessons_before;
    for (const auto& l : known.lessons)
        lessons_before[l.id] = &l;
    std::map<std::int64_t, const course_module*> modules_before;
    for (const auto& m : known.modules)
        modules_before[m.id] = &m;
    std::map<std::int64_t, std::vector<const known_step*>> steps_before;
    for (const auto& s : known.steps)
        if (!s.vanished)
            steps_before[s.lesson_id].push_back(&s);

    // Modules
    std::map<std::int64_t, int> module_position;
    for (const auto& m : out.now.modules) {
        module_position[m.id] = m.position;
        const auto before = modules_before.find(m.id);
        out.differs |= before == modules_before.end() || before->second->position != m.position ||
                       before->second->title != m.title;
    }
    for (const auto& m : known.modules) {
        if (module_position.contains(m.id) || reading.skipped_modules.contains(m.id))
            continue;
        out.vanished_modules.push_back(m.id);
        out.differs = true;
    }

    std::map<std::int64_t, const known_step*> known_steps;
    for (const auto& s : known.steps)
        known_steps[s.id] = &s;

    // Lessons that are there
    std::set<std::int64_t> present;
    std::set<std::int64_t> present_steps;
    for (auto& l : out.now.lessons) {
        present.insert(l.id);
        const auto found = lessons_before.find(l.id);
        const known_lesson* before = found == lessons_before.end() ? nullptr : found->second;

        if (l.opaque) {
            if (l.steps.empty())
                for (const known_step* s : steps_before[l.id])
                    l.steps.push_back({s->id, s->position, s->block, s->gradable});
            if (l.title.empty() && before != nullptr)
                l.title = before->title;
        }
        for (auto& s : l.steps) {
            if (s.block.empty()) {
                const auto was = known_steps.find(s.id);
                s.block = was == known_steps.end() ? "unknown" : was->second->block;
            }
            s.gradable = !is_theory(s.block) || seen_in_grades.contains(s.id);
            present_steps.insert(s.id);
        }
        out.steps += static_cast<int>(l.steps.size());

        if (before == nullptr || before->vanished) {
            out.added.push_back(l.id);
            continue;
        }
        const auto module_before = modules_before.find(before->module_id);
        const bool module_moved = module_before != modules_before.end() &&
                                  module_before->second->position != module_position[l.module_id];
        if (before->module_id != l.module_id || before->position != l.position || module_moved)
            out.moved.push_back(l.id);
        out.differs |= before->title != l.title;
    }

    // Lessons that are not
    for (const auto& l : known.lessons) {
        if (l.vanished || present.contains(l.id) || reading.units_incomplete ||
            reading.skipped_modules.contains(l.module_id))
            continue;
        out.vanished.push_back(l.id);
    }

    // Steps
    for (const auto& l : out.now.lessons)
        for (const auto& s : l.steps) {
            const auto before = known_steps.find(s.id);
            out.differs |= before == known_steps.end() || before->second->vanished ||
                           std::tie(before->second->lesson_id, before->second->position,
                               before->second->block) != std::tie(l.id, s.position, s.block) ||
                           before->second->gradable != s.gradable;
        }
    for (const auto& s : known.steps) {
        // Steps of lessons that were not looked into (skipped module, unreadable unit) stay what they are.
        if (s.vanished || present_steps.contains(s.id) || !present.contains(s.lesson_id))
            continue;
        out.vanished_steps.push_back(s.id);
        out.differs = true;
    }

    for (const auto& l : out.now.lessons)
        if (l.gradable_steps() == 0)
            out.lessons_without_tasks.push_back(l.id);

    for (auto* ids : {&out.added, &out.moved, &out.vanished, &out.lessons_without_tasks})
        std::sort(ids->begin(), ids->end());
    out.differs |= !out.added.empty() || !out.moved.empty() || !out.vanished.empty();
    return out;
}

} // namespace coursegate::stepik_sync
