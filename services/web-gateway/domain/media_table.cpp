#include "domain/media_table.hpp"

#include "domain/input.hpp"

#include "coursegate/base/encoding.hpp"

#include <limits>

namespace coursegate::web_gateway {
namespace {

constexpr std::size_t columns = 5;

char separator_of(std::string_view line)
{
    for (const char c : {'\t', ';'})
        if (line.find(c) != line.npos)
            return c;
    return ',';
}

std::string_view trimmed(std::string_view text)
{
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\r'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
        text.remove_suffix(1);
    return text;
}

// A spreadsheet puts quotes around what has a separator in it.
std::string_view unquoted(std::string_view text)
{
    text = trimmed(text);
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
        return trimmed(text.substr(1, text.size() - 2));
    return text;
}

// The last one takes the rest of the line.
std::vector<std::string_view> cells_of(std::string_view line)
{
    const char separator = separator_of(line);
    std::vector<std::string_view> out;
    while (out.size() + 1 < columns) {
        const auto end = line.find(separator);
        out.push_back(unquoted(line.substr(0, end)));
        if (end == line.npos)
            break;
        line.remove_prefix(end + 1);
        if (out.size() + 1 == columns)
            out.push_back(unquoted(line));
    }
    out.resize(columns);
    return out;
}

bool is_heading(std::string_view cell)
{
    return !cell.empty() && cell.find_first_of("0123456789") == cell.npos;
}

media_part part_of(const std::vector<std::string_view>& cells)
{
    media_part out;
    out.lesson_id = checked_number(cells[0], "lesson_id", 1, std::numeric_limits<std::int64_t>::max());
    out.part = cells[1].empty() ? 1 : static_cast<int>(checked_number(cells[1], "part", 1, 99));
    out.boom_media = checked_media_code(cells[2], "boom_media");
    if (!cells[3].empty())
        out.subscription_code = checked_subscription_code(cells[3], "subscription_code");
    out.title = checked_line(cells[4], "title", 200);
    return out;
}

} // namespace

media_table read_media_table(std::string_view text)
{
    media_table out;
    for (int line = 1; !text.empty(); ++line) {
        const auto end = text.find('\n');
        const auto whole = text.substr(0, end);
        text = end == text.npos ? std::string_view{} : text.substr(end + 1);
        if (trimmed(whole).empty())
            continue;
        const auto cells = cells_of(whole);
        if (out.rows.empty() && is_heading(cells[0]))
            continue;
        if (out.rows.size() == most_media_rows)
            throw invalid("table", "A table has at most " + std::to_string(most_media_rows) + " rows.");
        out.lines.push_back(line);
        out.rows.emplace_back();
        out.faults.emplace_back();
        try {
            out.rows.back() = part_of(cells);
        }
        catch (const refused& no) {
            out.faults.back() = no;
        }
    }
    return out;
}

std::string write_media_table(const std::vector<media_part>& rows)
{
    std::string out;
    for (const auto& r : rows)
        out += std::to_string(r.lesson_id) + "\t" + std::to_string(r.part) + "\t" + r.boom_media + "\t" +
               r.subscription_code.value_or("") + "\t" + r.title + "\n";
    return out;
}

std::string mark_of(const media_world& world)
{
    auto all = write_media_table(world.existing) + "\n" + world.default_subscription.value_or("") + "\n";
    for (const auto& [code, kind] : world.kinds)
        all += code + "\t" + kind + "\n";
    return base::to_hex(base::sha256(all));
}

} // namespace coursegate::web_gateway
