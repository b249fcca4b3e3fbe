#include "handlers/staff.hpp"

#include "domain/refused.hpp"
#include "domain/role.hpp"
#include "pages/pages.hpp"

#include <nlohmann/json.hpp>

#include <array>

namespace coursegate::web_gateway {
namespace {

struct section
{
    std::string_view path;
    std::string_view name;
};

// In the order of the navigation.
constexpr auto sections = std::to_array<section>({
    {"/admin/grants", say("Grants live")},
    {"/admin/students", say("Students")},
    {"/admin/trouble", say("Trouble")},
    {"/admin/courses", say("Courses")},
    {"/admin/numbers", say("Numbers")},
    {"/admin/audit-log", say("Audit log")},
});

} // namespace

http::handler for_staff(gateway& g, page_use u)
{
    return for_roles(g, {role::author, role::support, role::ops, role::admin}, u);
}

staff_rights rights_of(const visitor& who)
{
    return rights_of(who.roles, who.authors_of);
}

void must_see(const visitor& who, std::int64_t course_id)
{
    if (!rights_of(who).sees(course_id))
        throw refused(refusal::not_found, slug::course_not_found, "There is no such course.", "course");
}

void must_repair(const visitor& who, std::int64_t course_id)
{
    must_see(who, course_id);
    if (!rights_of(who).repairs_in(course_id))
        throw refused(
            refusal::conflict, slug::unauthorized, "You may look at this course, not repair it.", "course");
}

void must_change(const visitor& who, std::int64_t course_id)
{
    must_see(who, course_id);
    if (!rights_of(who).changes(course_id))
        throw refused(
            refusal::conflict, slug::unauthorized, "You may look at this course, not change it.", "course");
}

http::response show_admin(gateway& g, const visitor& who, std::string_view here, std::string_view page,
    nlohmann::json data, int status)
{
    data["wide"] = true;
    data["sections"] = nlohmann::json::array();
    for (const auto& s : sections) {
        nlohmann::json one;
        one["path"] = s.path;
        one["name"] = g.pages.text(who.language, s.name);
        one["chosen"] = s.path == here;
        data["sections"].push_back(std::move(one));
    }
    return g.pages.show(page, data, reader_of(who), status);
}

async::task<http::response> admin_page(gateway&, http::request&, const visitor&)
{
    co_return http::response::redirect(std::string(sections.front().path));
}

} // namespace coursegate::web_gateway
