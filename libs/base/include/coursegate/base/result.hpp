// result<T>: a value or an `error`. boost::system::result, so that its well-known interface applies:
// has_value(), operator*, value(), error(), value_or().
#pragma once

#include "coursegate/base/error.hpp"

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

namespace coursegate::base {

template <class T>
using result = boost::system::result<T, error>;

// Called by result::value() on an error; found by argument-dependent lookup.
[[noreturn]] void throw_exception_from_error(const error& e, const boost::source_location&);

// return base::fail(errc::x, "sentence");
template <class Errc>
error fail(Errc code, std::string detail)
{
    return error{make_error_code(code), std::move(detail)};
}

} // namespace coursegate::base
