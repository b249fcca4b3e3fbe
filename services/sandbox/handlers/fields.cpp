#include "handlers/fields.hpp"

namespace coursegate::sandbox {

fields::fields(const std::string& body)
    : fields(body.empty() ? nlohmann::json::object() : nlohmann::json::parse(body, nullptr, false))
{}

fields::fields(nlohmann::json object, std::string inside)
    : object_(std::move(object)), inside_(std::move(inside))
{
    if (!object_.is_object())
        throw bad_field(
            inside_.substr(0, inside_.empty() ? 0 : inside_.size() - 1), "a JSON object is expected");
}

const nlohmann::json* fields::get(const std::string& name)
{
    asked_.insert(name);
    const auto at = object_.find(name);
    return at == object_.end() || at->is_null() ? nullptr : &*at;
}

std::optional<std::int64_t> fields::integer(const std::string& name, std::int64_t least, std::int64_t most)
{
    const auto* const v = get(name);
    if (v == nullptr)
        return std::nullopt;
    if (!v->is_number_integer())
        throw bad_field(path(name), "a whole number is expected");
    const auto value = v->get<std::int64_t>();
    if (value < least || value > most)
        throw bad_field(path(name),
            "a number from " + std::to_string(least) + " to " + std::to_string(most) + " is expected");
    return value;
}

std::optional<double> fields::number(const std::string& name, double least, double most)
{
    const auto* const v = get(name);
    if (v == nullptr)
        return std::nullopt;
    if (!v->is_number() || v->get<double>() < least || v->get<double>() > most)
        throw bad_field(path(name), "a number from " + nlohmann::json(least).dump() + " to " +
                                        nlohmann::json(most).dump() + " is expected");
    return v->get<double>();
}

std::optional<bool> fields::flag(const std::string& name)
{
    const auto* const v = get(name);
    if (v == nullptr)
        return std::nullopt;
    if (!v->is_boolean())
        throw bad_field(path(name), "true or false is expected");
    return v->get<bool>();
}

std::optional<std::string> fields::text(const std::string& name)
{
    const auto* const v = get(name);
    if (v == nullptr)
        return std::nullopt;
    if (!v->is_string())
        throw bad_field(path(name), "a text is expected");
    return v->get<std::string>();
}

std::vector<std::int64_t> fields::integers(const std::string& name)
{
    std::vector<std::int64_t> out;
    const auto* const v = get(name);
    if (v == nullptr)
        return out;
    if (!v->is_array())
        throw bad_field(path(name), "a list of whole numbers is expected");
    for (const auto& item : *v) {
        if (!item.is_number_integer())
            throw bad_field(path(name), "a list of whole numbers is expected");
        out.push_back(item.get<std::int64_t>());
    }
    return out;
}

std::vector<std::string> fields::texts(const std::string& name)
{
    std::vector<std::string> out;
    const auto* const v = get(name);
    if (v == nullptr)
        return out;
    if (!v->is_array())
        throw bad_field(path(name), "a list of texts is expected");
    for (const auto& item : *v) {
        if (!item.is_string())
            throw bad_field(path(name), "a list of texts is expected");
        out.push_back(item.get<std::string>());
    }
    return out;
}

std::vector<fields> fields::objects(const std::string& name)
{
    std::vector<fields> out;
    const auto* const v = get(name);
    if (v == nullptr)
        return out;
    if (!v->is_array())
        throw bad_field(path(name), "a list of objects is expected");
    for (const auto& item : *v)
        out.emplace_back(item, path(name) + "[" + std::to_string(out.size()) + "].");
    return out;
}

std::int64_t fields::required_integer(const std::string& name, std::int64_t least, std::int64_t most)
{
    const auto value = integer(name, least, most);
    if (!value)
        throw bad_field(path(name), "it is required");
    return *value;
}

std::string fields::required_text(const std::string& name)
{
    auto value = text(name);
    if (!value || value->empty())
        throw bad_field(path(name), "it is required");
    return *value;
}

void fields::finish() const
{
    for (const auto& [name, value] : object_.items())
        if (!asked_.contains(name))
            throw bad_field(path(name), "no such field");
}

} // namespace coursegate::sandbox
