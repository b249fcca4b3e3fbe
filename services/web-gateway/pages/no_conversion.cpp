// Boost.Locale's reader of compiled catalogues, without ICU.
//
// The reader can turn a catalogue of one encoding into texts of another, and for that pulls in the library's
// encoding conversions, which Debian builds with ICU: 35 MB that every gateway would map. Our catalogues are
// UTF-8 and so is everything we say, so nothing is ever converted. These two definitions stand in for the two
// functions that it names; should anything ever call them, it is told so.
#include <boost/locale/encoding.hpp>

namespace boost::locale::conv {

std::string between(
    const char* begin, const char* end, const std::string& to, const std::string& from, method_type)
{
    if (to != from)
        throw invalid_charset_error(from);
    return std::string(begin, end);
}

template <>
std::wstring to_utf<wchar_t>(const char*, const char*, const std::string& charset, method_type)
{
    throw invalid_charset_error(charset);
}

} // namespace boost::locale::conv
